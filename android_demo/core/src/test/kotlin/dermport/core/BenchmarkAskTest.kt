package dermport.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class BenchmarkAskTest {
    @Test
    fun `what is not given is the standard`() {
        assertEquals(BenchmarkAsk.STANDARD, BenchmarkAsk.parse(emptyMap()))
        val given = mapOf("threads" to "1, 2,8", "delegates" to "gpu", "runs" to 10, "seconds" to 3)
        assertEquals(BenchmarkAsk(listOf(1, 2, 8), listOf("gpu"), 10, 3), BenchmarkAsk.parse(given))
        // the command in the README
        val all = mapOf("threads" to "1,4", "delegates" to "xnnpack,gpu", "runs" to 128, "seconds" to 10)
        assertEquals(BenchmarkAsk.STANDARD, BenchmarkAsk.parse(all))
    }

    @Test
    fun `what cannot be is named`() {
        assertEquals("threads is \"x\"; expected 1 to 16", refused("threads" to "1,x"))
        assertEquals("threads is \"17\"; expected 1 to 16", refused("threads" to "17"))
        assertEquals("threads is \"4,4\"; expected at most 8, each once", refused("threads" to "4,4"))
        assertEquals("delegates is \"nnapi\"; expected xnnpack, gpu or xnnpack,gpu", refused("delegates" to "nnapi"))
        assertEquals("runs is -1; expected 1 to 100000", refused("runs" to -1))
        assertEquals("runs is 0; expected 1 to 100000", refused("runs" to 0))
        assertEquals("seconds is 999; expected 1 to 120", refused("seconds" to 999))
    }

    @Test
    fun `another name or type is never the standard`() {
        assertEquals("unknown value \"run\"; known are threads, delegates, runs, seconds", refused("run" to 500))
        assertEquals("threads is 4; expected words, given by --es", refused("threads" to 4))
        assertEquals("runs is \"500\"; expected a number, given by --ei", refused("runs" to "500"))
        assertEquals("runs is 500; expected a number, given by --ei", refused("runs" to 500L))
        assertEquals("seconds is null; expected a number, given by --ei", refused("seconds" to null))
        assertEquals("delegates is null; expected words, given by --es", refused("delegates" to null))
    }

    private fun refused(given: Pair<String, Any?>) = fault { BenchmarkAsk.parse(mapOf(given)) }.technical

    @Test
    fun `a GPU is run once, whatever the threads of the CPU`() {
        val cpu = listOf(BenchmarkWay("xnnpack", 1), BenchmarkWay("xnnpack", 4))
        assertEquals(cpu + BenchmarkWay("gpu", 1), BenchmarkAsk.STANDARD.ways)
        assertEquals(listOf(BenchmarkWay("gpu", 1)), BenchmarkAsk(listOf(2, 8), listOf("gpu"), 1, 1).ways)
    }

    @Test
    fun `runs go on until there are enough of them and enough seconds`() {
        var now = 0L
        val runs = TimedRuns { now }
        val slow = runs.take(runs = 3, seconds = 1, stopped = { false }) { now += 600_000_000 }
        assertEquals(3, slow.runs)
        assertEquals(600.0, slow.p50, 1e-9)
        val quick = runs.take(runs = 3, seconds = 1, stopped = { false }) { now += 10_000_000 }
        assertEquals(100, quick.runs)
        assertEquals(1, runs.take(3, 1, { true }) { now += 1 }.runs)
    }

    @Test
    fun `clear pixels become white, half clear ones half white`() {
        val pixels = intArrayOf(0x00123456, 0x80000000.toInt(), 0xFF102030.toInt(), 0x00FFFFFF)
        Transparency.overWhite(pixels, 3)
        val white = 0xFFFFFFFF.toInt()
        assertArrayEquals(intArrayOf(white, 0xFF7F7F7F.toInt(), 0xFF102030.toInt(), 0x00FFFFFF), pixels)
        // Pillow's alpha_composite gives these: rounded, not cut off
        val faint = intArrayOf(0x02640007, 0x4D5AC821).also { Transparency.overWhite(it, 2) }
        assertArrayEquals(intArrayOf(0xFFFEFDFD.toInt(), 0xFFCDEEBC.toInt()), faint)
    }
}
