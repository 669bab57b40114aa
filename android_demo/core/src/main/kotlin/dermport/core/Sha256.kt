package dermport.core

import java.io.File
import java.io.IOException
import java.security.MessageDigest

/** SHA-256 in hexadecimal, small letters. */
object Sha256 {
    private const val PART = 1 shl 16

    fun of(content: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(content))

    /** Of a file, of which only 64 KB are in memory at a time; null where it cannot be read. */
    fun of(file: File): String? = try {
        val digest = MessageDigest.getInstance("SHA-256")
        val part = ByteArray(PART)
        file.inputStream().use { from ->
            while (true) {
                val count = from.read(part)
                if (count < 0) break
                digest.update(part, 0, count)
            }
        }
        hex(digest.digest())
    } catch (_: IOException) {
        null
    }

    private fun hex(digest: ByteArray) = digest.joinToString("") { "%02x".format(it) }
}
