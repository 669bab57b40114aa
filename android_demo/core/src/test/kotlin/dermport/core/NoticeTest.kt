package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Test

class NoticeTest {
    private val first = ArrayList<String>()
    private val second = ArrayList<String>()
    private val notice = Notice("reading")

    @Test
    fun `what was said stands on the next screen too`() {
        notice.attach { first.add(it) }
        notice.say("no model")
        notice.detach()
        notice.attach { second.add(it) }
        assertEquals(listOf("reading", "no model"), first)
        assertEquals(listOf("no model"), second)
    }

    @Test
    fun `what is said while no screen is there waits for the next`() {
        notice.attach { first.add(it) }
        notice.detach()
        notice.say("no room")
        notice.attach { second.add(it) }
        assertEquals(listOf("reading"), first)
        assertEquals(listOf("no room"), second)
        assertEquals("no room", notice.message)
    }
}
