package dermport.core

import java.io.File
import java.nio.file.Files
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
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
        assertEquals(Fault.StorageFull, fault { Storage.replace(target) { it.writeText("after") } })
        assertEquals("before", target.readText())
    }

    @Test
    fun `a folder that is not there is a message`() {
        val target = File(folder.root, "no/file")
        assertEquals(Fault.StorageFull, fault { Storage.replace(target) { it.writeText("x") } })
    }

    @Test
    fun `what is refused after it was written leaves nothing behind, and what stood there stays`() {
        val target = folder.newFile("model.tflite").apply { writeText("the earlier model") }
        val found = fault {
            Storage.replace(target) {
                it.writeText("a model that does not run")
                throw Problem(Fault.PictureEmpty)
            }
        }
        assertEquals(Fault.PictureEmpty, found)
        assertEquals("the earlier model", target.readText())
        assertEquals(listOf("model.tflite"), folder.root.list()!!.toList())
    }

    @Test
    fun `what is written whole is there under its name alone`() {
        val target = File(folder.root, "a")
        Storage.replace(target) { it.writeText("whole") }
        assertEquals("whole", target.readText())
        assertFalse(File(target.path + ".half").exists())
    }

    @Test
    fun `a stream that does not end is cut off`() {
        val endless = object : java.io.InputStream() {
            override fun read() = 7
        }
        val to = java.io.ByteArrayOutputStream()
        val large = Fault.PictureFileTooLarge(1)
        assertEquals(large, fault { Storage.copy(endless, to, 1_000_000, large, Fault.PictureGone) })
        assertEquals(true, to.size() <= 1_000_000)
    }

    @Test
    fun `a stream that breaks off is not called a full disk`() {
        val broken = object : java.io.InputStream() {
            override fun read() = throw java.io.IOException("unplugged")
        }
        val found = fault {
            Storage.replace(File(folder.root, "a")) { half ->
                half.outputStream().use { Storage.copy(broken, it, 1_000_000, Fault.PictureEmpty, Fault.FileGone) }
            }
        }
        assertEquals(Fault.FileGone, found)
    }

    @Test
    fun `who refused the camera is told so and not asked again`() {
        assertEquals(CameraStep.ASK, CameraStep.next(granted = false, asked = false))
        assertEquals(CameraStep.EXPLAIN, CameraStep.next(granted = false, asked = true))
        assertEquals(CameraStep.OPEN, CameraStep.next(granted = true, asked = true))
    }
}
