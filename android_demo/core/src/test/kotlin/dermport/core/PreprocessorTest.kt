package dermport.core

import java.lang.management.ManagementFactory
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class PreprocessorTest {
    @Test
    fun `every golden picture comes out as Python has it, to the last bit`() {
        val cases = Golden.cases()
        assertTrue(cases.size >= 20)
        for (case in cases) {
            val file = PictureFile.read(Golden.bytes("${case.name}.png"))
            assertEquals(case.name, case.orientation, file.orientation.exif)
            val found = Preprocessor(case.recipe).run(Picture(Golden.picture("${case.name}.png")), file.orientation)
            assertEquals(case.name, 0, furthest(found, "${case.name}.expected.png"))
        }
    }

    @Test
    fun `a second picture of another size or turn takes nothing from the first`() {
        val recipe = Golden.cases().first { it.name == "exif_2" }.recipe
        val preprocessor = Preprocessor(recipe)
        for (round in 1..2) {
            for (case in Golden.cases().filter { it.recipe == recipe }) {
                val turn = Orientation.of(case.orientation)
                val found = preprocessor.run(Picture(Golden.picture("${case.name}.png")), turn)
                assertEquals(case.name, 0, furthest(found, "${case.name}.expected.png"))
            }
        }
    }

    @Test
    fun `pictures of one size allocate nothing after the first`() {
        for (turn in listOf(Orientation.UPRIGHT, Orientation.TURNED_90)) {
            val pixels = Uniform(640, 480)
            val preprocessor = Preprocessor(Recipe(true, Crop.NONE, 84, 224))
            val output = preprocessor.run(pixels, turn)
            repeat(20) { preprocessor.run(pixels, turn) }
            val spent = allocated { repeat(10) { assertSame(output, preprocessor.run(pixels, turn)) } }
            assertTrue("$turn: $spent bytes in ten pictures", spent < 10_000)
        }
    }

    @Test
    fun `a photo of 12 megapixels needs little memory beside itself`() {
        val pixels = Uniform(4000, 3000)
        for (turn in listOf(Orientation.UPRIGHT, Orientation.TURNED_90)) {
            val spent = allocated { Preprocessor(Recipe(true, Crop.NONE, 84, 224)).run(pixels, turn) }
            assertTrue("$turn: ${spent / 1_000_000} MB", spent < 8_000_000)
        }
    }

    @Test
    fun `one colour stays that colour, in the corners too`() {
        val output = Preprocessor(Recipe(true, Crop.CENTER_SQUARE, 84, 224)).run(Uniform(3001, 1999))
        for (i in output.indices) assertEquals(listOf(200, 120, 40)[i % 3], output[i].toInt() and 0xFF)
    }

    private fun furthest(found: ByteArray, expected: String): Int {
        val image = Golden.picture(expected)
        assertEquals(found.size, image.width * image.height * 3)
        var most = 0
        for (i in 0 until image.width * image.height) {
            val rgb = image.getRGB(i % image.width, i / image.width)
            for (channel in 0..2) {
                val wanted = (rgb shr (16 - 8 * channel)) and 0xFF
                most = maxOf(most, abs(wanted - (found[3 * i + channel].toInt() and 0xFF)))
            }
        }
        return most
    }

    private class Uniform(override val width: Int, override val height: Int) : Pixels {
        override fun read(top: Int, rows: Int, into: IntArray) = into.fill(0xFFC87828.toInt(), 0, rows * width)
    }
}

/** Bytes that this thread allocates in [work]. */
internal fun allocated(work: () -> Unit): Long {
    val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
    val id = Thread.currentThread().id
    threads.getThreadAllocatedBytes(id)
    val before = threads.getThreadAllocatedBytes(id)
    work()
    return threads.getThreadAllocatedBytes(id) - before
}
