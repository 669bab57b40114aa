package dermport.core

/** Numbers and words in the head of a file; what lies beyond its end makes it a damaged picture. */
internal class Heads(private val content: ByteArray) {
    fun byte(at: Int): Int {
        if (at < 0 || at >= content.size) throw PictureFile.damaged()
        return content[at].toInt() and 0xFF
    }

    fun small(at: Int): Int = byte(at) or (byte(at + 1) shl 8)

    fun little(at: Int): Int = small(at) or (small(at + 2) shl 16)

    fun bigSmall(at: Int): Int = (byte(at) shl 8) or byte(at + 1)

    fun big(at: Int): Int = (bigSmall(at) shl 16) or bigSmall(at + 2)

    /** Four characters, "" where there are not as many. */
    fun word(at: Int): String = if (at + 4 > content.size) "" else String(CharArray(4) { byte(at + it).toChar() })

    fun starts(at: Int, vararg bytes: Int): Boolean =
        at + bytes.size <= content.size && bytes.indices.all { byte(at + it) == bytes[it] }
}
