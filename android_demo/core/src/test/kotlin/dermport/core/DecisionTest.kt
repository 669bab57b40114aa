package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** decision.json was written by `python -m android_demo.check golden`: what Python answers. */
class DecisionTest {
    private val golden = Json.parse(String(Golden.bytes("decision.json")), "decision.json") as Map<*, *>

    @Test
    fun `every answer is decided as Python does`() {
        val seen = HashSet<String>()
        val answers = (golden["answers"] as List<*>).map { it as Map<*, *> }
        assertTrue(answers.size >= 60)
        for (case in answers) {
            val read = Contract.parse(ChangedContract.text(case["changes"] as List<*>), "contract")
            val probabilities = (case["probabilities"] as List<*>).map { (it as Number).toFloat() }.toFloatArray()
            val unknown = (case["unknown"] as Number?)?.toFloat() ?: Float.NaN
            val answer = Answer.of(read, probabilities, unknown)
            val name = "${case["name"]}: ${probabilities.toList()}, $unknown"
            assertEquals(name, case["decision"], answer.verdict.word)
            assertEquals(name, case["decision"], answer.fields()["decision"])
            assertEquals(name, case["diagnosis"], answer.best.label.code)
            seen.add(answer.verdict.word)
        }
        assertTrue("$seen", seen.containsAll(listOf("unknown", "suspected MEL", "MEL", "NV")))
    }

    @Test
    fun `a suspicion is about the class of its alert, which need not be the likeliest`() {
        val read = Contract.parse(String(Golden.bytes("contract.json")), "file")
        val probabilities = FloatArray(8) { if (it == 1) 0.8f else 0f }.also { it[0] = 0.2f }
        val answer = Answer.of(read, probabilities, -10f)
        assertEquals("MEL", answer.first.label.code)
        assertEquals("NV", answer.best.label.code)
        val fields = answer.fields()
        assertEquals("suspected MEL", fields["decision"])
        assertEquals(0.9, (fields["alert"] as Map<*, *>)["aim"])
        assertEquals("the written JSON is read as the same", 8, (written(answer)["probabilities"] as Map<*, *>).size)
        val unknown = Answer.of(read, probabilities, Float.NaN)
        assertEquals("unknown", written(unknown)["decision"])
        assertNull("a number that JSON does not have", written(unknown)["unknown"])
        assertNull(written(unknown)["alert"])
    }

    @Test
    fun `no alert hides behind a number that is none`() {
        val text = String(Golden.bytes("contract.json")).replaceFirst("\"threshold\": 0.09", "\"threshold\": \"0.09")
        assertTrue("not valid JSON at character" in "${fault { Contract.parse(text, "f") }.technical}")
        val word = String(Golden.bytes("contract.json")).replaceFirst("\"aim\": 0.9,", "\"aim\": true,")
        val found = fault { Contract.parse(word, "f") }
        assertEquals("'decision.aim' is true; expected a number or null", found.technical)
    }

    private fun written(answer: Answer) = Json.parse(Json.write(answer.fields()), "answer") as Map<*, *>

    private fun cases(key: String) = (golden[key] as List<*>).map { it as Map<*, *> }
}
