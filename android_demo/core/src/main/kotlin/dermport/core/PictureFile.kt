package dermport.core

/**
 * What the bytes of a picture say before a pixel is decoded; the name of the file plays no part.
 *
 * @property width of the stored picture in pixels, before [orientation] turns it.
 * @property channels of a JPEG: 1 grey, 3 colour, 4 CMYK; 0 where the kind does not tell.
 */
class PictureFile private constructor(
    val kind: Kind,
    val width: Int,
    val height: Int,
    val channels: Int,
    val orientation: Orientation,
) {
    enum class Kind { JPEG, PNG, WEBP, BMP }

    /**
     * As which part (1, 2, 4) of its size to decode it: more than 32 megapixels would not fit in memory. No side
     * gets shorter than what the network sees of a picture.
     */
    val sampleSize: Int
        get() {
            var part = 1
            while (width.toLong() * height / (part * part) > REDUCED_PIXELS && minOf(width, height) / (part * 2) >= LEAST_SIDE) {
                part *= 2
            }
            return part
        }

    companion object {
        const val MOST_PIXELS = 200_000_000L
        private val HEIF = setOf("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "avif", "avis")
        private const val REDUCED_PIXELS = 32_000_000L
        private const val LEAST_SIDE = 256

        /**
         * Reads the head of a picture and checks that its end is there.
         *
         * @throws Problem empty, of another kind, truncated, or above 200 megapixels.
         */
        fun read(content: ByteArray): PictureFile {
            if (content.isEmpty()) throw Problem(Fault.PictureEmpty)
            val head = Heads(content)
            val file = when {
                head.starts(0, 0xFF, 0xD8) -> jpeg(content)
                head.starts(0, 0x89, 'P'.code, 'N'.code, 'G'.code) -> png(content)
                head.word(0) == "RIFF" && head.word(8) == "WEBP" -> webp(content)
                head.starts(0, 'B'.code, 'M'.code) -> bmp(content)
                head.word(4) == "ftyp" && head.word(8) in HEIF -> throw Problem(Fault.PictureHeic)
                else -> throw Problem(Fault.PictureOfUnknownKind)
            }
            if (file.width < 1 || file.height < 1) throw damaged()
            if (file.width.toLong() * file.height > MOST_PIXELS) {
                val mega = file.width.toLong() * file.height / 1_000_000
                throw Problem(Fault.PictureTooLarge(file.width, file.height, mega))
            }
            return file
        }

        internal fun damaged() = Problem(Fault.PictureDamaged)

        private fun jpeg(content: ByteArray): PictureFile {
            val reader = JpegReader(content)
            reader.read()
            return PictureFile(Kind.JPEG, reader.width, reader.height, reader.channels, reader.orientation)
        }

        private fun png(content: ByteArray): PictureFile {
            val head = Heads(content)
            var orientation = Orientation.UPRIGHT
            var at = 8L
            while (at + 12 <= content.size) {
                val length = head.big(at.toInt())
                if (length < 0) throw damaged()
                when (head.word(at.toInt() + 4)) {
                    "eXIf" -> orientation = Exif.orientation(content, at.toInt() + 8, length)
                    "IEND" -> return PictureFile(Kind.PNG, head.big(16), head.big(20), 0, orientation)
                }
                at += length + 12L
            }
            throw damaged()
        }

        private fun webp(content: ByteArray): PictureFile {
            val head = Heads(content)
            if (head.little(4) + 8L > content.size) throw damaged()
            var size: Pair<Int, Int>? = null
            var orientation = Orientation.UPRIGHT
            var at = 12L
            while (at + 8 <= content.size) {
                val start = at.toInt() + 8
                val length = head.little(at.toInt() + 4)
                if (length < 0) throw damaged()
                when (head.word(at.toInt())) {
                    "VP8X" -> size = wide(head.little(start + 4)) to (head.little(start + 6) ushr 8) + 1
                    "VP8 " -> size = size ?: (head.small(start + 6) and 0x3FFF to (head.small(start + 8) and 0x3FFF))
                    "VP8L" -> size = size ?: lossless(head.little(start + 1))
                    "EXIF" -> orientation = Exif.orientation(content, start, length)
                }
                at += 8L + length + (length and 1)
            }
            val (width, height) = size ?: throw damaged()
            return PictureFile(Kind.WEBP, width, height, 0, orientation)
        }

        private fun wide(bits: Int) = (bits and 0xFFFFFF) + 1

        private fun lossless(bits: Int) = (bits and 0x3FFF) + 1 to ((bits shr 14) and 0x3FFF) + 1

        private fun bmp(content: ByteArray): PictureFile {
            val head = Heads(content)
            if (head.little(2) > content.size) throw damaged()
            // a negative height means rows from top to bottom
            val height = head.little(22)
            return PictureFile(Kind.BMP, head.little(18), if (height < 0) -height else height, 0, Orientation.UPRIGHT)
        }
    }
}
