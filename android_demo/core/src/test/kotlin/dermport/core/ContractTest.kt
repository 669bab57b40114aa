package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class ContractTest {
    private val text = String(Golden.bytes("contract.json"))

    @Test
    fun `the released student's contract is read as it is`() {
        val contract = Contract.parse(text, "file")
        assertEquals("mobilenet_v2-ssd_kd", contract.name)
        assertEquals(8, contract.labels.size)
        assertEquals(Label("MEL", "Melanoma"), contract.labels[0])
        assertEquals(Recipe(true, Crop.NONE, 84, 224), contract.recipe)
        assertEquals(2.7729, contract.calibration.unknownThreshold, 1e-4)
        assertTrue("Not a medical device" in contract.intendedUse)
    }

    @Test
    fun `a newer major version says to update, an older one to export again`() {
        assertTrue("newer app" in refused("\"version\": \"1.2\"", "\"version\": \"2.0\""))
        assertTrue("export the model again" in refused("\"version\": \"1.2\"", "\"version\": \"0.9\""))
        assertTrue("two numbers" in refused("\"version\": \"1.2\"", "\"version\": \"one\""))
    }

    @Test
    fun `a newer minor version may carry more, this one may not`() {
        val known = text.replace("\"version\": \"1.2\"", "\"version\": \"1.1\"")
        assertTrue("unknown key 'decision'" in assertThrows(Problem::class.java) { Contract.parse(known, "f") }.message)
        val more = text.replace("\"license\"", "\"colour\": 1, \"license\"")
        Contract.parse(more.replace("\"version\": \"1.2\"", "\"version\": \"1.9\""), "f")
    }

    @Test
    fun `a wrong value is named with what was expected`() {
        assertTrue("preprocessing.antialias' is 1" in refused("\"antialias\": true", "\"antialias\": 1"))
        assertTrue("antialias" in refused("\"antialias\": true", "\"antialias\": false"))
        assertTrue("bilinear" in refused("\"bilinear\"", "\"bicubic\""))
        assertTrue("none or center-square" in refused("\"crop\": \"none\"", "\"crop\": \"left\""))
        assertTrue("every code once" in refused("\"code\": \"NV\"", "\"code\": \"MEL\""))
        assertTrue("float32 or uint8" in refused("\"dtype\": \"float32\"", "\"dtype\": \"int4\""))
        assertTrue("expected RGB" in refused("\"color\": \"RGB\"", "\"color\": \"BGR\""))
        assertTrue("input.range" in refused("255\n", "1\n"))
        assertTrue("missing" in refused("\"license\":", "\"licence\":"))
    }

    @Test
    fun `no cut makes it crash`() {
        for (length in 0 until text.length - 1 step 7) orProblem { Contract.parse(text.take(length), "f") }
        assertThrows(Problem::class.java) { Contract.parse("[".repeat(100_000), "f") }
        assertThrows(Problem::class.java) { Json.parse("{\"a\": 1, \"a\": 2}", "f") }
        assertThrows(Problem::class.java) { Json.parse("NaN", "f") }
    }

    @Test
    fun `JSON that was written is read as the same`() {
        val value = linkedMapOf("a" to listOf(1L, 2.5, null, true), "b" to "\"\\\n\u0001é", "c" to emptyMap<String, Any>())
        assertEquals(value, Json.parse(Json.write(value), "f"))
    }

    @Test
    fun `an answer is unknown above the threshold and ranked below it`() {
        val contract = Contract.parse(text, "file")
        val probabilities = FloatArray(8) { if (it == 2) 0.65f else 0.05f }
        val threshold = contract.calibration.unknownThreshold.toFloat()
        val answer = Answer.of(contract, probabilities, threshold - 1)
        assertEquals("Basal cell carcinoma", answer.best.label.name)
        assertFalse(answer.isUnknown)
        assertTrue(Answer.of(contract, probabilities, threshold + 0.001f).isUnknown)
        assertFalse(Answer.of(contract, probabilities, threshold - 0.001f).isUnknown)
        assertThrows(Problem::class.java) { Answer.of(contract, FloatArray(8), 0f) }
        assertThrows(Problem::class.java) { Answer.of(contract, FloatArray(8) { Float.NaN }, 0f) }
        assertThrows(Problem::class.java) { Answer.of(contract, probabilities, Float.NaN) }
        val other = assertThrows(Problem::class.java) { Answer.of(contract, floatArrayOf(0.5f, 0.5f), 0f) }
        assertTrue("another model" in other.message)
    }

    private fun refused(old: String, new: String): String {
        assertTrue("'$old' stands in the contract", old in text)
        return assertThrows(Problem::class.java) { Contract.parse(text.replaceFirst(old, new), "file") }.message
    }
}
