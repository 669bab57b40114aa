package dermport.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class PhoneRecordTest {
    @Test
    fun `the record is the one that Python's reader accepted`() {
        // tests/android_demo reads the golden record with the reader of `benchmarks report`
        assertEquals(String(Golden.bytes("phone.json")), exampleRecord())
    }

    @Test
    fun `a row of the GPU says that no threads were set`() {
        val none = "the GPU takes no number of CPU threads"
        assertFalse(none in exampleRecord())
        assertTrue(none in exampleRecord(gpuRan = "gpu"))
    }
}

/** A record with two runs, one of which fell back to the CPU. */
internal fun exampleRecord(gpuRan: String = "xnnpack"): String {
    val times = Times.of(LongArray(128) { 3_000_000L + 10_000 * it })
    val cool = PhoneState(0, 81, 30.5)
    val runs = listOf("xnnpack", "gpu").map { asked ->
        PhoneRun(
            threads = if (asked == "gpu") 1 else 4,
            asked = asked,
            ran = if (asked == "gpu") gpuRan else asked,
            coverage = "whole graph",
            loadMs = 21.5,
            firstMs = 9.25,
            times = times,
            before = cool,
            after = PhoneState(1, 80, null),
            tookSeconds = 10.5,
            refusal = if (asked == "gpu" && gpuRan != asked) "no reason" else null,
        )
    }
    val facts = PhoneFacts("Maker", "Phone", "Chip", "16", "36", "arm64-v8a", "BP1A")
    val file = TimedFile("student-int8.tflite", "tflite:int8", 2_500_000, "a".repeat(64))
    val settings = PhoneSettings(file, listOf(4), listOf("xnnpack", "gpu"), 2, 128, 10.0)
    return PhoneRecord.json("0a1b2c3d", "b".repeat(64), facts, settings, runs)
}

internal object PrintExampleRecord {
    @JvmStatic
    fun main(arguments: Array<String>) = print(exampleRecord())
}
