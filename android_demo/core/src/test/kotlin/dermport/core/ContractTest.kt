package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
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
        assertEquals(2.1214, contract.calibration.unknownThreshold, 1e-4)
        assertTrue("Not a medical device" in contract.intendedUse)
    }

    @Test
    fun `an interval that does not hold its value is not shown`() {
        val training = Contract.parse(text, "file").training
        val (low, high) = checkNotNull(training.interval("accuracy"))
        assertEquals(0.6666, low, 1e-4)
        assertEquals(0.7149, high, 1e-4)
        assertNull(training.interval("calibration_error"))
        assertNull(training.interval("no_metric"))
        assertNull(training.interval("accuracy_interval"))
    }

    @Test
    fun `a newer major version says to update, an older one to export again`() {
        val newer = refused("\"version\": \"1.2\"", "\"version\": \"2.0\"")
        assertTrue("$newer", newer is Fault.ContractNewer)
        assertEquals(listOf("file", "2.0", "1.x"), newer.details)
        assertTrue(refused("\"version\": \"1.2\"", "\"version\": \"0.9\"") is Fault.ContractOlder)
        assertEquals(
            "'version' is \"one\"; expected two numbers, such as \"1.0\"",
            invalid("\"version\": \"1.2\"", "\"version\": \"one\""),
        )
    }

    @Test
    fun `a newer minor version may carry more, this one may not`() {
        val more = text.replace("\"license\"", "\"colour\": 1, \"license\"")
        val unknown = fault { Contract.parse(more, "f") }
        assertTrue("$unknown", "${unknown.technical}".startsWith("unknown key 'colour'; known here are calibration, "))
        Contract.parse(more.replace("\"version\": \"1.2\"", "\"version\": \"1.9\""), "f")
    }

    @Test
    fun `a wrong value is named with what was expected, apart from what everyone is told`() {
        assertEquals(
            "'preprocessing.antialias' is 1; expected true or false",
            invalid("\"antialias\": true", "\"antialias\": 1"),
        )
        assertEquals(
            "'preprocessing.antialias' is false; expected true, as in training",
            invalid("\"antialias\": true", "\"antialias\": false"),
        )
        assertEquals(
            "'preprocessing.resize_filter' is \"bicubic\"; expected \"bilinear\"",
            invalid("\"bilinear\"", "\"bicubic\""),
        )
        assertEquals(
            "'preprocessing.crop' is \"left\"; expected one of none, center-square",
            invalid("\"crop\": \"none\"", "\"crop\": \"left\""),
        )
        val twice = invalid("\"code\": \"NV\"", "\"code\": \"MEL\"")
        assertTrue(twice, twice.startsWith("'labels' is [\"MEL\", \"MEL\", \"BCC\"") && twice.endsWith("every code once"))
        assertEquals(
            "'input.dtype' is \"int4\"; expected one of float32, uint8",
            invalid("\"dtype\": \"float32\"", "\"dtype\": \"int4\""),
        )
        val missing = invalid("\"license\":", "\"licence\":")
        assertTrue(missing, missing.startsWith("the key 'license' is missing; found schema, version, name, "))
    }

    @Test
    fun `a string that looks like a number is shown as a string`() {
        assertEquals("'decision.aim' is \"0.9\"; expected a number or null", invalid("\"aim\": 0.9,", "\"aim\": \"0.9\","))
        assertEquals("'name' is 0.9; expected a string", invalid("\"mobilenet_v2-ssd_kd\"", "0.9"))
        assertEquals("[\"1\", 1, null, {\"a\": \"b\\\"\"}]", Json.line(listOf("1", 1L, null, mapOf("a" to "b\""))))
        val long = invalid("\"crop\": \"none\"", "\"crop\": \"${"long".repeat(40)}\"")
        assertTrue(long, "'preprocessing.crop' is \"${"long".repeat(19)}lo…; expected" in long)
    }

    @Test
    fun `what is said of input and outputs is compared place by place`() {
        assertEquals(
            "'input.color' is \"BGR\"; expected \"RGB\", as the rest of it says",
            invalid("\"color\": \"RGB\"", "\"color\": \"BGR\""),
        )
        assertEquals("'input.range[1]' is 1; expected 255, as the rest of it says", invalid("255\n", "1\n"))
        assertEquals(
            "'outputs[1].shape[3]' is 7; expected 8, as the rest of it says",
            invalid("\"W\",\n        8", "\"W\",\n        7"),
        )
        val meaning = invalid("\"unknown_score\": \"features\"", "\"unknown_score\": \"max_logit\"")
        assertTrue(meaning, meaning.startsWith("'outputs[2].meaning' is \"distance of the pooled features"))
    }

    @Test
    fun `what is no JSON is told with its place and what was expected there`() {
        val told = mapOf(
            "[1, NaN]" to "5: found \"NaN]\", expected a value",
            "[1 2]" to "4: found \"2]\", expected ',' or ']'",
            "{\"a\" 1}" to "6: found \"1}\", expected ':'",
            "{\"a\": 1," to "9: found the end, expected a string in double quotes",
            "{a: 1}" to "2: found \"a: 1}\", expected a string in double quotes",
            "{\"a\": 1}}" to "9: found \"}\", expected its end",
            "[\"a" to "4: found the end, expected the end of the string",
            "[\"\\x\"]" to "4: found \"x\\\"]\", expected one of \" \\ / b f n r t u after a backslash",
            "[\"\\u12\"]" to "5: found \"12\\\"]\", expected four hexadecimal digits",
            "[\"a\nb\"]" to "4: found \"\\u000ab\\\"]\", expected no control character in a string",
            "[1e999]" to "2: found \"1e999]\", expected a number that a computer holds",
            "[01]" to "2: found \"01]\", expected a value",
            "[tru]" to "2: found \"tru]\", expected true",
            "" to "1: found the end, expected a value",
            "[\"far\", something that does not end]" to "9: found \"something th\", expected a value",
        )
        for ((text, words) in told) {
            val found = fault { Json.parse(text, "f") }
            assertTrue("$found", found is Fault.ContractInvalid)
            assertEquals(text, "not valid JSON at character $words", found.technical)
        }
        assertEquals("the key 'a' stands twice in one object", fault { Json.parse("{\"a\": 1, \"a\": 2}", "f") }.technical)
    }

    @Test
    fun `no cut makes it crash`() {
        for (length in 0 until text.length - 1 step 7) orProblem { Contract.parse(text.take(length), "f") }
        assertThrows(Problem::class.java) { Contract.parse("[".repeat(100_000), "f") }
    }

    @Test
    fun `JSON that was written is read as the same`() {
        val long = java.math.BigInteger("18446744073709551615")
        val value = linkedMapOf("a" to listOf(1L, 2.5, null, true, long), "b" to "\"\\\n\u0001é", "c" to emptyMap<String, Any>())
        assertEquals(value, Json.parse(Json.write(value), "f"))
        assertEquals(value, Json.parse(Json.line(value), "f"))
        assertTrue('\n' !in Json.line(value))
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

    /** What is technical of it; what everyone is told has the file's name alone. */
    private fun invalid(old: String, new: String): String {
        val found = refused(old, new)
        assertTrue("$found", found is Fault.ContractInvalid)
        assertEquals(listOf("file"), found.details)
        return checkNotNull(found.technical)
    }
}
