package dermport.core

import java.io.File
import java.nio.file.Files
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class ModelShelfTest {
    @get:Rule
    val folder = TemporaryFolder()

    @get:Rule
    val elsewhere = TemporaryFolder()
    private val shelf by lazy { ModelShelf(folder.root) }

    @Test
    fun `a model is there under its own name after the next start`() {
        assertNull(shelf.read())
        val kept = put("first", "mine.tflite")
        val read = checkNotNull(ModelShelf(folder.root).read())
        assertEquals("first", String(read.content))
        assertEquals("mine.tflite", read.name)
        assertEquals(Sha256.of("first".toByteArray()), read.sha256)
        assertEquals(File(folder.root, "model.tflite").path, kept.path)
        assertEquals(kept.path, read.path)
    }

    @Test
    fun `wherever the app ends, no model goes by the name of another`() {
        put("first", "mine.tflite")
        var moments = 0
        shelf.replace("yours.tflite", { it.write("second".toByteArray()) }) { tried ->
            // all that is left to do is one renaming: were it not done, the next start would find this
            val next = checkNotNull(ModelShelf(copyOf(folder.root)).read())
            assertEquals("first" to "mine.tflite", String(next.content) to next.name)
            // and were it done, this
            val done = copyOf(folder.root)
            assertTrue(File(done, File(tried.path).name).renameTo(File(done, "model.tflite")))
            val after = checkNotNull(ModelShelf(done).read())
            assertEquals("second" to "yours.tflite", String(after.content) to after.name)
            moments++
        }
        assertEquals(1, moments)
        assertEquals("yours.tflite", shelf.read()?.name)
    }

    @Test
    fun `a model that does not run leaves the one before, and nothing of itself`() {
        put("first", "mine.tflite")
        val before = folder.root.list()!!.sorted()
        val found = fault {
            shelf.replace("yours.tflite", { it.write("second".toByteArray()) }) { throw Problem(Fault.ModelDamaged(it.name)) }
        }
        assertEquals(listOf("yours.tflite"), found.details)
        assertEquals("mine.tflite", shelf.read()?.name)
        assertEquals(before, folder.root.list()!!.sorted())
    }

    @Test
    fun `a full disk is a message, and the model before stays`() {
        assumeTrue("needs /dev/full", File("/dev/full").exists())
        put("first", "mine.tflite")
        Files.createSymbolicLink(File(folder.root, "model.tflite.half").toPath(), File("/dev/full").toPath())
        assertEquals(Fault.StorageFull, fault { put("second", "yours.tflite") })
        assertEquals("mine.tflite", shelf.read()?.name)
    }

    @Test
    fun `the same model opened by another name has that name`() {
        put("first", "mine.tflite")
        put("first", "yours.tflite")
        assertEquals("yours.tflite", shelf.read()?.name)
    }

    @Test
    fun `names that an interrupted opening left are gone after the next, and all of it when it is cleared`() {
        File(folder.root, "model-name-${"0".repeat(64)}.txt").writeText("left.tflite")
        File(folder.root, "other.txt").writeText("of something else")
        put("first", "mine.tflite")
        assertEquals(3, folder.root.list()!!.size)
        assertEquals("shipped", shelf.clearFor { "shipped" })
        assertTrue(shelf.isEmpty)
        assertEquals(listOf("other.txt"), folder.root.list()!!.toList())
    }

    @Test
    fun `a model is not given up where the app came with none`() {
        put("first", "mine.tflite")
        assertEquals(Fault.ModelMissing, fault { shelf.clearFor<String> { throw Problem(Fault.ModelMissing) } })
        assertEquals("mine.tflite", shelf.read()?.name)
    }

    @Test
    fun `a model that cannot be read is a message, and is given up for the app's own`() {
        val unreadable = File("/proc/self/mem") // reading it from the start fails, for root too
        assumeTrue("needs $unreadable", unreadable.isFile)
        Files.createSymbolicLink(File(folder.root, "model.tflite").toPath(), unreadable.toPath())
        assertEquals(listOf("model.tflite"), fault { shelf.read() }.details)
        assertEquals("shipped", shelf.clearFor { "shipped" })
        assertNull(shelf.read())
        Files.createSymbolicLink(File(folder.root, "model.tflite").toPath(), unreadable.toPath())
        put("second", "yours.tflite")
        assertEquals("yours.tflite", shelf.read()?.name)
    }

    private fun put(content: String, name: String) = shelf.replace(name, { it.write(content.toByteArray()) }) { }

    private fun copyOf(from: File): File {
        val copy = elsewhere.newFolder()
        from.listFiles()!!.forEach { it.copyTo(File(copy, it.name)) }
        return copy
    }
}
