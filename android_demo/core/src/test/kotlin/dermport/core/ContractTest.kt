package dermport.core

import org.junit.Assert.assertEquals
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
        val newer = refused("\"version\": \"1.2\"", "\"version\": \"2.0\"")
        assertTrue("$newer", newer is Fault.ContractNewer)
        assertEquals(listOf("file", "2.0", "1.x"), newer.details)
        assertTrue(refused("\"version\": \"1.2\"", "\"version\": \"0.9\"") is Fault.ContractOlder)
        assertEquals("version", wrongKey("\"version\": \"1.2\"", "\"version\": \"one\""))
    }

    @Test
    fun `a newer minor version may carry more, this one may not`() {
        val more = text.replace("\"license\"", "\"colour\": 1, \"license\"")
        val unknown = fault { Contract.parse(more, "f") }
        assertTrue("$unknown", unknown is Fault.ContractKeyUnknown)
        assertEquals("colour", unknown.details[1])
        Contract.parse(more.replace("\"version\": \"1.2\"", "\"version\": \"1.9\""), "f")
    }

    @Test
    fun `a wrong value is named with what was expected`() {
        val type = refused("\"antialias\": true", "\"antialias\": 1")
        assertTrue("$type", type is Fault.ContractValue)
        assertEquals(listOf("file", "preprocessing.antialias", "1", "true | false"), type.details)
        assertEquals("preprocessing.antialias", wrongKey("\"antialias\": true", "\"antialias\": false"))
        assertEquals("preprocessing.resize_filter", wrongKey("\"bilinear\"", "\"bicubic\""))
        val crop = refused("\"crop\": \"none\"", "\"crop\": \"left\"")
        assertEquals(listOf("file", "preprocessing.crop", "left", "none | center-square"), crop.details)
        assertEquals("unique", refused("\"code\": \"NV\"", "\"code\": \"MEL\"").details.last())
        assertEquals("input.dtype", wrongKey("\"dtype\": \"float32\"", "\"dtype\": \"int4\""))
        assertEquals("RGB", refused("\"color\": \"RGB\"", "\"color\": \"BGR\"").details.last())
        assertEquals("input.range", wrongKey("255\n", "1\n"))
        val missing = refused("\"license\":", "\"licence\":")
        assertTrue("$missing", missing is Fault.ContractKeyMissing)
        assertEquals("license", missing.details[1])
    }

    @Test
    fun `no cut makes it crash`() {
        for (length in 0 until text.length - 1 step 7) orProblem { Contract.parse(text.take(length), "f") }
        assertThrows(Problem::class.java) { Contract.parse("[".repeat(100_000), "f") }
        assertEquals(listOf("f", "a"), fault { Json.parse("{\"a\": 1, \"a\": 2}", "f") }.details)
        val word = fault { Json.parse("[1, NaN]", "f") }
        assertTrue("$word", word is Fault.ContractNotJson)
        assertEquals(listOf<Any>("f", 7), word.details)
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
        assertEquals("BCC", answer.verdict.word)
        assertEquals("unknown", Answer.of(contract, probabilities, threshold + 0.001f).verdict.word)
        assertEquals("BCC", Answer.of(contract, probabilities, threshold - 0.001f).verdict.word)
        assertTrue(fault { Answer.of(contract, FloatArray(8), 0f) } is Fault.AnswerWithoutSense)
        assertTrue(fault { Answer.of(contract, FloatArray(8) { Float.NaN }, 0f) } is Fault.AnswerWithoutSense)
        assertEquals(Fault.AnswerOfAnotherModel, fault { Answer.of(contract, floatArrayOf(0.5f, 0.5f), 0f) })
    }

    private fun refused(old: String, new: String): Fault {
        assertTrue("'$old' stands in the contract", old in text)
        return fault { Contract.parse(text.replaceFirst(old, new), "file") }
    }

    private fun wrongKey(old: String, new: String): Any {
        val found = refused(old, new)
        assertTrue("$found", found is Fault.ContractValue)
        return found.details[1]
    }
}
