package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** decision.json was written by `python -m android_demo.check golden`: what Python answers and refuses. */
@Suppress("UNCHECKED_CAST")
class DecisionTest {
    private val golden = Json.parse(String(Golden.bytes("decision.json")), "decision.json") as Map<*, *>
    private val contract = Json.parse(String(Golden.bytes("contract.json")), "contract.json")

    @Test
    fun `every contract is read or refused as Python does`() {
        val contracts = cases("contracts")
        assertTrue(contracts.size >= 25)
        for (case in contracts) {
            val name = case["name"] as String
            val text = changed(case)
            if (case["accepted"] == false) {
                fault { Contract.parse(text, name) }
                continue
            }
            val read = Contract.parse(text, name)
            assertEquals(name, case["decision"], read.decision != null)
            val alert = read.decision?.alert
            assertEquals(name, case["alert"], alert?.let { listOf(it.code, it.aim, it.threshold) })
            val evidence = case["evidence"] as List<*>?
            assertEquals(name, evidence, alert?.let { it.sensitivity.toList() + it.specificity.toList() })
        }
    }

    @Test
    fun `every answer is decided as Python does`() {
        val seen = HashSet<String>()
        val answers = cases("answers")
        assertTrue(answers.size >= 60)
        for (case in answers) {
            val read = Contract.parse(changed(case), "contract")
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
        assertTrue(fault { Contract.parse(text, "f") } is Fault.ContractNotJson)
        val word = String(Golden.bytes("contract.json")).replaceFirst("\"aim\": 0.9,", "\"aim\": true,")
        val found = fault { Contract.parse(word, "f") }
        assertEquals(listOf("f", "decision.aim", "true", "number | null"), found.details)
    }

    private fun written(answer: Answer) = Json.parse(Json.write(answer.fields()), "answer") as Map<*, *>

    private fun cases(key: String) = (golden[key] as List<*>).map { it as Map<*, *> }

    /** The released contract with the case's changes, each a path and its new value, or none to remove it. */
    private fun changed(case: Map<*, *>): String {
        val document = copy(contract)
        for (change in case["changes"] as List<*>) {
            change as Map<*, *>
            val path = change["path"] as List<*>
            val place = path.dropLast(1).fold(document) { at, key -> child(at, key) }
            if ("value" in change) {
                put(place, path.last(), copy(change["value"]))
            } else {
                (place as MutableMap<Any?, Any?>).remove(path.last())
            }
        }
        return Json.write(document)
    }

    private fun child(at: Any?, key: Any?): Any? = if (at is List<*>) at[(key as Long).toInt()] else (at as Map<*, *>)[key]

    private fun put(at: Any?, key: Any?, value: Any?) {
        if (at is List<*>) {
            (at as MutableList<Any?>)[(key as Long).toInt()] = value
        } else {
            (at as MutableMap<Any?, Any?>)[key] = value
        }
    }

    private fun copy(value: Any?): Any? = when (value) {
        is Map<*, *> -> value.mapValuesTo(LinkedHashMap<Any?, Any?>()) { copy(it.value) }
        is List<*> -> value.mapTo(ArrayList()) { copy(it) }
        else -> value
    }
}
