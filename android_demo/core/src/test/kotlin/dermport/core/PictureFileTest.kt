package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class PictureFileTest {
    @Test
    fun `size and turn are read from every kind of file`() {
        for (turn in 1..8) {
            for (kind in listOf("jpeg", "webp")) {
                val file = PictureFile.read(Golden.bytes("turned_$turn.$kind"))
                assertEquals("$turn $kind", listOf(60, 44, turn), listOf(file.width, file.height, file.orientation.exif))
            }
        }
        // Pillow writes the high byte first, most cameras the low one
        assertEquals(Orientation.TURNED_270, PictureFile.read(Golden.bytes("little_8.jpeg")).orientation)
        for (name in listOf("lossless.webp", "clear.webp", "plain.bmp", "progressive.jpeg")) {
            val file = PictureFile.read(Golden.bytes(name))
            assertEquals(name, listOf(60, 44, 1), listOf(file.width, file.height, file.orientation.exif))
        }
    }

    @Test
    fun `grey and CMYK pictures are told apart`() {
        assertEquals(1, PictureFile.read(Golden.bytes("grey.jpeg")).channels)
        assertEquals(4, PictureFile.read(Golden.bytes("cmyk.jpeg")).channels)
        assertEquals(3, PictureFile.read(Golden.bytes("turned_1.jpeg")).channels)
    }

    @Test
    fun `a JPEG named HEIC is a JPEG`() {
        val file = PictureFile.read(Golden.bytes("really_jpeg.heic"))
        assertEquals(PictureFile.Kind.JPEG, file.kind)
        assertEquals(Orientation.TURNED_90, file.orientation)
    }

    @Test
    fun `what is no whole picture is refused for its own reason`() {
        val faults = mapOf(
            "bad_empty.jpeg" to Fault.PictureEmpty,
            "bad_half.jpeg" to Fault.PictureDamaged,
            "bad_no_end.jpeg" to Fault.PictureDamaged,
            "bad_half.png" to Fault.PictureDamaged,
            "bad_half.webp" to Fault.PictureDamaged,
            "bad_half.bmp" to Fault.PictureDamaged,
            "bad_two_bytes.jpeg" to Fault.PictureDamaged,
            "bad_text.jpeg" to Fault.PictureOfUnknownKind,
            "bad_real.heic" to Fault.PictureHeic,
        )
        for ((name, expected) in faults) assertEquals(name, expected, fault { PictureFile.read(Golden.bytes(name)) })
        val film = byteArrayOf(0, 0, 0, 20) + "ftypqt  ".toByteArray() + ByteArray(8)
        assertEquals(Fault.PictureOfUnknownKind, fault { PictureFile.read(film) })
        val huge = fault { PictureFile.read(Golden.bytes("bad_huge.png")) }
        assertTrue("$huge", huge is Fault.PictureTooLarge)
        assertEquals(listOf<Any>(30000, 20000, 600L), huge.details)
    }

    @Test
    fun `no cut or changed byte makes it crash`() {
        for (name in listOf("turned_6.jpeg", "turned_6.webp", "exif_6.png", "plain.bmp")) {
            val whole = Golden.bytes(name)
            for (length in whole.indices step maxOf(1, whole.size / 300)) orProblem { PictureFile.read(whole.copyOf(length)) }
            for (at in 0 until minOf(whole.size, 400)) {
                for (value in listOf(0, 0x7F, 0xFF)) {
                    val changed = whole.clone().also { it[at] = value.toByte() }
                    orProblem { PictureFile.read(changed) }
                }
            }
        }
    }

    @Test
    fun `EXIF data longer than any file does not make it crash`() {
        for (name in listOf("turned_6.webp", "exif_6.png")) {
            val whole = Golden.bytes(name)
            val text = String(whole, Charsets.ISO_8859_1)
            val at = if (name.endsWith("png")) text.indexOf("eXIf") - 4 else text.indexOf("EXIF") + 4
            val longest = byteArrayOf(0x7F, -1, -1, -1).also { if (name.endsWith("webp")) it.reverse() }
            longest.copyInto(whole, at)
            orProblem { assertEquals(name, Orientation.UPRIGHT, PictureFile.read(whole).orientation) }
        }
    }

    @Test
    fun `photos above 32 megapixels are decoded at a half or less`() {
        val png = Golden.bytes("exif_6.png")
        fun sized(width: Int, height: Int): PictureFile {
            val copy = png.clone()
            for (i in 0..3) {
                copy[16 + i] = (width shr (24 - 8 * i)).toByte()
                copy[20 + i] = (height shr (24 - 8 * i)).toByte()
            }
            return PictureFile.read(copy)
        }
        assertEquals(1, sized(6500, 4900).sampleSize)
        assertEquals(2, sized(8000, 6000).sampleSize)
        assertEquals(4, sized(16000, 12000).sampleSize)
        assertEquals(2, sized(26000, 3900).sampleSize)
        assertEquals(4, sized(60000, 3000).sampleSize)
        assertEquals(2, sized(60000, 600).sampleSize)
        // the network would see a smaller picture than it was trained on
        assertEquals(1, sized(400_000, 500).sampleSize)
    }
}

/** What [work] was refused for. */
internal fun fault(work: () -> Unit): Fault = assertThrows(Problem::class.java) { work() }.fault

internal fun orProblem(work: () -> Unit) {
    try {
        work()
    } catch (_: Problem) {
        // a message is what it should be
    }
}
