package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class ModelNewsTest {
    private val start = ModelNews<String>()

    @Test
    fun `a model is being read until it is found or there is none`() {
        assertTrue(start.isBeingRead)
        assertNull(start.message)
        assertFalse(start.found("shipped").isBeingRead)
        assertFalse(start.foundNone("no model").isBeingRead)
    }

    @Test
    fun `why there was none at the start is gone when another one is opened`() {
        val failed = start.foundNone("the kept model is damaged")
        assertEquals("the kept model is damaged", failed.message)
        val now = failed.begun().foundNone("the kept model is damaged").chosen("mine", "in use")
        assertEquals("mine", now.model)
        assertNull(now.message)
        assertNull("the same at the next start", failed.found("shipped").message)
    }

    @Test
    fun `no card of a model stays when there is none any more`() {
        val none = start.found("mine").foundNone("no model")
        assertNull(none.model)
        assertEquals("no model", none.message)
    }

    @Test
    fun `what was refused leaves the model in use, and is told until something else is done`() {
        val refused = start.found("mine").refuse("no contract")
        assertEquals("mine", refused.model)
        // the screen comes to the front again, turned or after the end of the process
        assertEquals("no contract", refused.found("mine").message)
        assertEquals("no contract", ModelNews<String>(refused = "no contract").found("mine").message)
        assertNull(refused.begun().message)
        assertNull(refused.chosen("yours", "in use").message)
    }

    @Test
    fun `both are told where both are so, and the same once`() {
        assertEquals("no contract\n\nno model", start.foundNone("no model").refuse("no contract").message)
        assertEquals("no model", start.foundNone("no model").refuse("no model").message)
        assertEquals("no model", start.foundNone("no model").refuse("no contract").begun().message)
    }

    @Test
    fun `what is being done with a model is told until it is done, refused or something else is begun`() {
        val trying = start.found("mine").refuse("no contract").trying("being tried")
        assertEquals("being tried", trying.progress)
        assertNull(trying.message)
        assertEquals("the screen came to the front again", "being tried", trying.found("mine").progress)
        assertEquals("in use", trying.chosen("yours", "in use").progress)
        assertNull(trying.refuse("no contract").progress)
        assertNull(trying.chosen("yours", "in use").begun().progress)
    }
}
