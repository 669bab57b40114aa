package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Contracts that Python reads or refuses, as `python -m android_demo.check golden` wrote them down. */
class ReadingTest {
    @Test
    fun `every contract is read or refused as Python does`() {
        val cases = golden("decision.json")["contracts"] as List<*>
        assertTrue(cases.size >= 70)
        val others = ArrayList<Any?>()
        for (case in cases) {
            case as Map<*, *>
            val name = case["name"] as String
            val read = read(case["changes"] as List<*>)
            if ((read != null) != case["accepted"]) others.add(name)
            if (read == null || case["accepted"] == false) continue
            assertEquals(name, case["decision"], read.decision != null)
            val alert = read.decision?.alert
            assertEquals(name, case["alert"], alert?.let { listOf(it.code, it.aim, it.threshold) })
            val evidence = case["evidence"] as List<*>?
            assertEquals(name, evidence, alert?.let { it.sensitivity.toList() + it.specificity.toList() })
        }
        assertEquals("Python does the other thing", emptyList<Any?>(), others)
    }

    @Test
    fun `every place of a contract takes the values that Python takes there`() {
        val golden = golden("places.json")
        val values = golden["values"] as List<*>
        val places = golden["places"] as List<*>
        assertTrue(places.size >= 100)
        val others = ArrayList<String>()
        for (place in places) {
            place as Map<*, *>
            val path = place["path"] as List<*>
            val removed = if (path.last() == "colour") emptyList() else listOf(mapOf("path" to path))
            val ways = listOf(removed) + values.map { listOf(mapOf("path" to path, "value" to it)) }
            for (version in listOf("1.2", "1.3")) {
                val stated = mapOf("path" to listOf("version"), "value" to version)
                val found = ways.map { if (read(listOf(stated) + it) == null) '0' else '1' }.joinToString("")
                if (found != place[version]) others.add("$version $path: $found, Python ${place[version]}")
            }
        }
        assertEquals("Python does the other thing", "", others.joinToString("\n"))
    }

    @Test
    fun `every text is JSON, or is none, as Python has it`() {
        val texts = (golden("places.json")["texts"] as List<*>).map { it as Map<*, *> }
        assertTrue(texts.size >= 60)
        val others = texts.filter { case ->
            val read = try {
                Json.parse(case["text"] as String, "text") is Map<*, *>
            } catch (_: Problem) {
                false
            }
            read != case["read"]
        }
        assertEquals("Python does the other thing", emptyList<Any>(), others)
    }

    private fun golden(name: String) = Json.parse(String(Golden.bytes(name)), name) as Map<*, *>

    private fun read(changes: List<*>): Contract? = try {
        Contract.parse(ChangedContract.text(changes), "contract")
    } catch (_: Problem) {
        null
    }
}
