package dermport.core

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class Sha256Test {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `a file has the hash of its content`() {
        // sha256sum of the three letters
        val expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        val file = folder.newFile().also { it.writeText("abc") }
        assertEquals(expected, Sha256.of(file))
        assertEquals(expected, Sha256.of("abc".toByteArray()))
        assertNull(Sha256.of(File(folder.root, "not there")))
    }

    @Test
    fun `a large file is not in memory as a whole`() {
        val content = ByteArray(8 shl 20) { (it * 31).toByte() }
        val file = folder.newFile().also { it.writeBytes(content) }
        assertEquals(Sha256.of(content), Sha256.of(file))
        val spent = allocated { Sha256.of(file) }
        assertTrue("$spent bytes", spent < 1 shl 18)
    }
}
