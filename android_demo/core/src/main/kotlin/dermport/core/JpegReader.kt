package dermport.core

/** Size, channels and orientation of a JPEG, and whether its end is there. */
internal class JpegReader(private val content: ByteArray) {
    var width = 0
        private set
    var height = 0
        private set
    var channels = 0
        private set
    var orientation = Orientation.UPRIGHT
        private set

    private val head = Heads(content)
    private var exifSeen = false

    /** Walks through the segments and the coded pixels to the end marker. */
    fun read() {
        var at = 2
        while (true) {
            while (head.byte(at) != 0xFF) at++
            while (head.byte(at) == 0xFF) at++
            val marker = head.byte(at++)
            when {
                marker == END -> break
                marker == 0x00 || marker == 0x01 || marker in 0xD0..0xD8 -> Unit
                else -> {
                    val length = head.bigSmall(at)
                    if (length < 2) throw PictureFile.damaged()
                    segment(marker, at + 2, at + length)
                    at += length
                }
            }
        }
        if (width == 0) throw PictureFile.damaged()
    }

    private fun segment(marker: Int, start: Int, end: Int) {
        if (marker in 0xC0..0xCF && marker !in NO_FRAMES && width == 0) {
            height = head.bigSmall(start + 1)
            width = head.bigSmall(start + 3)
            channels = head.byte(start + 5)
        }
        if (marker == EXIF && !exifSeen && head.word(start) == "Exif") {
            exifSeen = true
            orientation = Exif.orientation(content, start + 6, minOf(end, content.size) - start - 6)
        }
    }

    private companion object {
        const val END = 0xD9
        const val EXIF = 0xE1
        val NO_FRAMES = setOf(0xC4, 0xC8, 0xCC)
    }
}
