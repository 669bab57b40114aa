package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Test

class NoticeTest {
    private val first = ArrayList<String?>()
    private val second = ArrayList<String?>()

    @Test
    fun `what was said stands on the next screen too`() {
        val notice = Notice<String>(null)
        notice.attach { first.add(it) }
        notice.say("no model")
        notice.detach()
        notice.attach { second.add(it) }
        assertEquals(listOf(null, "no model"), first)
        assertEquals(listOf<String?>("no model"), second)
    }

    @Test
    fun `what is said while no screen is there waits for the next`() {
        val notice = Notice<String>(null)
        notice.attach { first.add(it) }
        notice.detach()
        notice.say("no room")
        notice.attach { second.add(it) }
        assertEquals(listOf<String?>(null), first)
        assertEquals(listOf<String?>("no room"), second)
    }

    @Test
    fun `it is gone when something else is begun`() {
        val notice = Notice("kept by the system")
        notice.attach { first.add(it) }
        notice.clear()
        assertEquals(listOf("kept by the system", null), first)
        assertEquals(null, notice.message)
    }
}
