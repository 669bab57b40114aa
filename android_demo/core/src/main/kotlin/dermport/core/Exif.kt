package dermport.core

/** The one tag of EXIF data that says how a picture lies. */
internal object Exif {
    private const val ORIENTATION = 0x0112
    private const val MOST_ENTRIES = 1000

    /** Reads the TIFF block of [length] bytes from [start]; broken data counts as none, as in image viewers. */
    fun orientation(content: ByteArray, start: Int, length: Int): Orientation {
        if (start < 0 || length < 14 || length > content.size - start) return Orientation.UPRIGHT
        val block = content.copyOfRange(start, start + length)
        // a PNG or WebP may repeat the six bytes that only a JPEG needs
        val shift = if (Heads(block).word(0) == "Exif") 6 else 0
        return try {
            read(Heads(if (shift == 0) block else block.copyOfRange(shift, block.size)))
        } catch (_: Problem) {
            Orientation.UPRIGHT
        }
    }

    private fun read(head: Heads): Orientation {
        val little = when (head.bigSmall(0)) {
            0x4949 -> true
            0x4D4D -> false
            else -> return Orientation.UPRIGHT
        }
        fun small(at: Int) = if (little) head.small(at) else head.bigSmall(at)
        val directory = if (little) head.little(4) else head.big(4)
        for (i in 0 until minOf(small(directory), MOST_ENTRIES)) {
            val entry = directory + 2 + 12 * i
            if (small(entry) == ORIENTATION) return Orientation.of(small(entry + 8))
        }
        return Orientation.UPRIGHT
    }
}
