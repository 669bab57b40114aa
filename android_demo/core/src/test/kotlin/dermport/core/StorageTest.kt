package dermport.core

import java.io.File
import java.nio.file.Files
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assume.assumeTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class StorageTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `a full disk is a message, and what stood there stays`() {
        assumeTrue("needs /dev/full", File("/dev/full").exists())
        val target = folder.newFile("benchmark.json").apply { writeText("before") }
        // what is written beside the target goes to a device that is always full
        Files.createSymbolicLink(File(target.path + ".half").toPath(), File("/dev/full").toPath())
        val problem = assertThrows(Problem::class.java) { Storage.replace(target, "full") { it.writeText("after") } }
        assertEquals("full", problem.message)
        assertEquals("before", target.readText())
    }

    @Test
    fun `a folder that is not there is a message`() {
        assertThrows(Problem::class.java) { Storage.replace(File(folder.root, "no/file"), "full") { it.writeText("x") } }
    }

    @Test
    fun `a problem while writing leaves nothing behind`() {
        val target = File(folder.root, "model.tflite")
        val problem = assertThrows(Problem::class.java) {
            Storage.replace(target, "full") {
                it.writeText("half")
                throw Problem("no model")
            }
        }
        assertEquals("no model", problem.message)
        assertEquals(0, folder.root.list()!!.size)
    }

    @Test
    fun `what is written whole is there under its name alone`() {
        val target = File(folder.root, "a")
        Storage.replace(target, "full") { it.writeText("whole") }
        assertEquals("whole", target.readText())
        assertFalse(File(target.path + ".half").exists())
    }

    @Test
    fun `a stream that does not end is cut off`() {
        val endless = object : java.io.InputStream() {
            override fun read() = 7
        }
        val to = java.io.ByteArrayOutputStream()
        assertThrows(Problem::class.java) { Storage.copy(endless, to, 1_000_000, "too large", "gone") }
        assertEquals(true, to.size() <= 1_000_000)
    }

    @Test
    fun `a stream that breaks off is not called a full disk`() {
        val broken = object : java.io.InputStream() {
            override fun read() = throw java.io.IOException("unplugged")
        }
        val problem = assertThrows(Problem::class.java) {
            Storage.replace(File(folder.root, "a"), "full") { half ->
                half.outputStream().use { Storage.copy(broken, it, 1_000_000, "too large", "gone") }
            }
        }
        assertEquals("gone", problem.message)
    }

    @Test
    fun `who refused the camera is told so and not asked again`() {
        assertEquals(CameraStep.ASK, CameraStep.next(granted = false, asked = false))
        assertEquals(CameraStep.EXPLAIN, CameraStep.next(granted = false, asked = true))
        assertEquals(CameraStep.OPEN, CameraStep.next(granted = true, asked = true))
    }
}
