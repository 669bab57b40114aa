package dermport.core

import java.io.IOException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class OutcomeTest {
    private var said: Any? = null

    @Test
    fun `what was done is told afterwards, not at once`() {
        val tell = Outcome.of({ 42 }, { said = it }, { said = it })
        assertEquals(null, said)
        tell()
        assertEquals(42, said)
    }

    @Test
    fun `a problem is told by its fault, want of memory by its own`() {
        assertEquals(Fault.FileGone, ended { throw Problem(Fault.FileGone) })
        assertEquals(Fault.MemoryFull, ended { throw OutOfMemoryError() })
    }

    @Test
    fun `whatever else is thrown is told too, and does not end the app`() {
        val thrown = listOf(
            IOException("no such device"),
            IllegalStateException("no such device"),
            NoClassDefFoundError("no such device"),
        )
        for (error in thrown) {
            val fault = ended { throw error } as Fault
            assertTrue("$fault", fault is Fault.Unexpected)
            assertEquals("${error.javaClass.name}: no such device", fault.technical)
        }
        assertTrue(ended { throw StackOverflowError() } is Fault.Unexpected)
    }

    private fun ended(work: () -> Unit): Any? {
        Outcome.of(work, { said = "done" }, { said = it })()
        return said
    }
}
