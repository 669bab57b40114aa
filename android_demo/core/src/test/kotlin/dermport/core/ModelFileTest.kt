package dermport.core

import java.nio.ByteBuffer
import java.util.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeNotNull
import org.junit.Test

/** The released student in the app's assets, whole and damaged; skipped where another model lies there. */
class ModelFileTest {
    private val stream = javaClass.getResourceAsStream("/mobilenet_v2-ssd_kd-int8.tflite")
    private val whole: ByteArray

    init {
        assumeNotNull("another model lies in the app", stream)
        whole = stream!!.use { it.readBytes() }
    }

    @Test
    fun `the shipped model tells everything that the app needs`() {
        val file = read(whole)
        assertEquals(Tensor("image", listOf(1, 224, 224, 3), ElementType.UINT8, file.input.quantization), file.input)
        assertEquals(setOf("probabilities", "cam", "unknown"), file.outputs.map { it.name }.toSet())
        assertEquals(listOf(1, 8), file.outputs[file.position("probabilities")].shape)
        assertEquals(7 to 7, file.mapSize)
        assertEquals("Squamous cell carcinoma", file.contract.labels.last().name)
        assertEquals("a step of the input is a step of the pixels", 1f, file.input.quantization!!.scale)
    }

    @Test
    fun `maps of another model are refused`() {
        Answer.checkMaps(read(whole), FloatArray(7 * 7 * 8))
        assertThrows(Problem::class.java) { Answer.checkMaps(read(whole), FloatArray(7 * 7 * 5)) }
    }

    @Test
    fun `a truncated file is told to be so, wherever it ends`() {
        // the last bytes too: there lie the numbers of the operators, and LiteRT would read on
        val short = (1..200).map { whole.size - it }
        for (length in listOf(0, 3, 7, 8, 9, 64, 1000, whole.size / 3, whole.size / 2) + short) {
            val found = fault { read(whole.copyOf(length)) }
            assertTrue("$length: $found", found is Fault.ModelDamaged || found is Fault.ModelOfAnotherKind && length < 8)
            assertEquals("file", found.details[0])
        }
    }

    @Test
    fun `a file without a contract, with a newer one, or of another network says what to do`() {
        assertTrue(refused("DERMPORT_CONTRACT", "SOMETHING_ELSE_17") is Fault.ModelWithoutContract)
        assertTrue(refused("\"version\": \"1.2\"", "\"version\": \"2.1\"") is Fault.ContractNewer)
        val size = refused("\"size\": 224", "\"size\": 192")
        assertEquals("'input.shape[1]' is 224; expected 192, as the rest of it says", size.technical)
        val other = refused("\"dtype\": \"uint8\"", "\"dtype\":\"float32\"", same = false)
        assertTrue("$other", other is Fault.ModelOfAnotherNetwork)
        assertEquals(listOf("file"), other.details)
        assertTrue("$other", "expected 224×224, FLOAT32, 8" in "${other.technical}")
        val text = "this is a text and no model at all, whatever it is called"
        assertTrue(fault { read(text.toByteArray()) } is Fault.ModelOfAnotherKind)
    }

    @Test
    fun `a contract that is no text is a damaged one, as Python has it`() {
        val at = String(whole, Charsets.ISO_8859_1).indexOf("Melanoma")
        assertTrue(at > 0)
        val changed = whole.clone().also { it[at] = 0xFF.toByte() }
        assertTrue(fault { read(changed) } is Fault.ModelDamaged)
    }

    @Test
    fun `a contract that is said to lie beyond any file is a damaged one`() {
        val bytes = ByteBuffer.allocate(64).order(java.nio.ByteOrder.LITTLE_ENDIAN)
        bytes.putInt(0, 16).putShort(4, 4).putShort(6, 4).putInt(16, 12)
        val table = FlatTable.root(bytes, "file")
        for ((start, count) in listOf(Long.MAX_VALUE to Long.MAX_VALUE, 60L to 5L, 65L to 0L, -1L to 2L, 2L to -1L)) {
            assertThrows("$start $count", Problem::class.java) { table.outside(start, count) }
        }
        assertEquals(4, table.outside(60, 4).size)
    }

    @Test
    fun `no changed byte in its tables makes it crash`() {
        val random = Random(0)
        repeat(3000) {
            val changed = whole.clone()
            // tables stand at both ends of the file
            val at = if (it % 2 == 0) random.nextInt(40_000) else changed.size - 1 - random.nextInt(40_000)
            changed[at] = random.nextInt(256).toByte()
            orProblem { read(changed) }
        }
    }

    private fun read(content: ByteArray) = ModelFile.read(ByteBuffer.wrap(content), "file")

    private fun refused(old: String, new: String, same: Boolean = true): Fault {
        val filled = if (same) new else new.padEnd(old.length)
        val from = old.toByteArray(Charsets.ISO_8859_1)
        val to = filled.toByteArray(Charsets.ISO_8859_1)
        val text = String(whole, Charsets.ISO_8859_1)
        val at = text.indexOf(old)
        assertTrue("'$old' stands in the file", at >= 0)
        val changed = whole.clone()
        if (from.size == to.size) {
            to.copyInto(changed, at)
        } else {
            // JSON does not mind fewer spaces: take the difference from the indentation behind it
            val extra = to.size - from.size
            val spaces = text.indexOf(" ".repeat(extra), at + old.length)
            changed.copyInto(changed, at + to.size, at + from.size, spaces)
            to.copyInto(changed, at)
        }
        return fault { read(changed) }
    }
}
