package dermport.core

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream

/** Files that are written whole or not at all. */
object Storage {
    /**
     * Writes [target] by way of a file beside it; what stood there stays where that fails.
     *
     * @throws Problem it cannot be written; whatever else [write] throws goes on.
     */
    fun replace(target: File, write: (File) -> Unit) {
        val half = half(target)
        try {
            write(half)
            // or a flat battery could leave the name with nothing behind it
            FileOutputStream(half, true).use { it.fd.sync() }
            if (!half.renameTo(target)) throw Problem(Fault.StorageFull)
        } catch (error: IOException) {
            throw Problem(Fault.StorageFull, error)
        } finally {
            half.delete()
        }
    }

    /** Removes what an app that ended in the middle of [replace] has left. */
    fun dropHalf(target: File) {
        half(target).delete()
    }

    private fun half(target: File) = File(target.path + ".half")

    /**
     * Copies a stream of at most [most] bytes; a fault of [to] goes on as it is.
     *
     * @throws Problem there are more ([tooLarge]), or [from] broke off ([gone]).
     */
    fun copy(from: InputStream, to: OutputStream, most: Long, tooLarge: Fault, gone: Fault) {
        val part = ByteArray(1 shl 16)
        var left = most
        while (true) {
            val count = try {
                from.read(part)
            } catch (error: IOException) {
                throw Problem(gone, error)
            }
            if (count < 0) return
            left -= count
            if (left < 0) throw Problem(tooLarge)
            to.write(part, 0, count)
        }
    }
}
