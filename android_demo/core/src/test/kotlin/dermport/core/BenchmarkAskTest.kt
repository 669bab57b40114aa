package dermport.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class BenchmarkAskTest {
    @Test
    fun `what is not given is the standard`() {
        assertEquals(BenchmarkAsk.STANDARD, BenchmarkAsk.parse(null, null, 0, 0))
        val ask = BenchmarkAsk.parse("1, 2,8", "gpu", 10, 3)
        assertEquals(BenchmarkAsk(listOf(1, 2, 8), listOf("gpu"), 10, 3), ask)
        assertEquals(3, ask.total)
        // the command in the README
        assertEquals(BenchmarkAsk.STANDARD, BenchmarkAsk.parse("1,4", "xnnpack,gpu", 128, 10))
    }

    @Test
    fun `what cannot be is named`() {
        fun refused(threads: String?, delegates: String?, runs: Int, seconds: Int) =
            fault { BenchmarkAsk.parse(threads, delegates, runs, seconds) }.technical
        assertEquals("threads is \"x\"; expected 1 to 16", refused("1,x", null, 0, 0))
        assertEquals("threads is \"17\"; expected 1 to 16", refused("17", null, 0, 0))
        assertEquals("threads is \"4,4\"; expected at most 8, each once", refused("4,4", null, 0, 0))
        assertEquals("delegates is \"nnapi\"; expected xnnpack, gpu or xnnpack,gpu", refused(null, "nnapi", 0, 0))
        assertEquals("runs is -1; expected 1 to 100000", refused(null, null, -1, 0))
        assertEquals("seconds is 999; expected 1 to 120", refused(null, null, 0, 999))
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
