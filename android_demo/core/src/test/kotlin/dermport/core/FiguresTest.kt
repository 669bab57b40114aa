package dermport.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class FiguresTest {
    @Test
    fun `percentiles are numpy's`() {
        // numpy.quantile([1, 2, 4, 8, 16, 32, 64, 128, 256, 512], (0.5, 0.9, 0.95))
        val times = Times.of(LongArray(10) { (1L shl (9 - it)) * 1_000_000 })
        assertEquals(24.0, times.p50, 1e-9)
        assertEquals(281.6, times.p90, 1e-9)
        assertEquals(396.8, times.p95, 1e-9)
        assertEquals(102.3, times.mean, 1e-9)
        // numpy.std of the same
        assertEquals(156.483897, times.deviation, 1e-6)
        assertEquals(1.0, times.least, 0.0)
        assertEquals(512.0, times.most, 0.0)
    }

    @Test
    fun `only the first times count where fewer were taken`() {
        val times = Times.of(longArrayOf(3_000_000, 1_000_000, 99_000_000), 2)
        assertEquals(2, times.runs)
        assertEquals(2.0, times.p50, 0.0)
        assertThrows(IllegalArgumentException::class.java) { Times.of(LongArray(0)) }
    }

    @Test
    fun `quantizing rounds half to even and stays in the range`() {
        val stored = ByteArray(5)
        val by = Quantization(0.5f, 10)
        Quantizer.quantize(floatArrayOf(0.25f, 0.75f, -100f, 500f, 1f), ElementType.UINT8, by, stored)
        assertArrayEquals(byteArrayOf(10, 12, 0, 255.toByte(), 12), stored)
        Quantizer.quantize(floatArrayOf(0.25f, 0.75f, -100f, 500f, 1f), ElementType.INT8, by, stored)
        assertArrayEquals(byteArrayOf(10, 12, -128, 127, 12), stored)
    }

    @Test
    fun `dequantizing undoes it for every stored value`() {
        val by = Quantization(0.1f, 3)
        for (type in listOf(ElementType.UINT8, ElementType.INT8)) {
            val all = ByteArray(256) { it.toByte() }
            val real = FloatArray(256).also { Quantizer.dequantize(all, type, by, it) }
            val again = ByteArray(256).also { Quantizer.quantize(real, type, by, it) }
            assertArrayEquals(all, again)
        }
        val real = FloatArray(1).also { Quantizer.dequantize(byteArrayOf(-1), ElementType.UINT8, by, it) }
        assertEquals(25.2f, real[0], 1e-5f)
        Quantizer.dequantize(byteArrayOf(-1), ElementType.INT8, by, real)
        assertEquals(-0.4f, real[0], 1e-6f)
    }

    @Test
    fun `pixels become floats without a sign`() {
        val floats = FloatArray(3).also { Quantizer.toFloats(byteArrayOf(0, 127, -1), it) }
        assertArrayEquals(floatArrayOf(0f, 127f, 255f), floats, 0f)
    }

    @Test
    fun `an overlay is clear where the map is not positive and strongest at its top`() {
        val cam = FloatArray(2 * 2 * 2)
        cam[1] = 4f // row 0, column 0, class 1
        cam[7] = -3f
        val map = HeatMap(2, 2, 2, 8)
        val colors = map.draw(cam, 1)
        assertEquals(HeatMap.color(1f), colors[0])
        assertEquals(0, colors[63] ushr 24)
        assertTrue((colors[3] ushr 24) in 1 until (colors[0] ushr 24))
        assertTrue("class 0 has no map", map.draw(cam, 0).all { it ushr 24 == 0 })
    }

    @Test
    fun `maps and hints allocate nothing`() {
        val cam = FloatArray(7 * 7 * 8) { it.toFloat() }
        val map = HeatMap(7, 7, 8, 64)
        val luma = ByteArray(640 * 480) { (it * 31).toByte() }
        val hint = FrameHint()
        repeat(5) { map.draw(cam, it); hint.judge(luma, 640, 480, 640, 0.7) }
        val spent = allocated { repeat(10) { map.draw(cam, 3); hint.judge(luma, 640, 480, 640, 0.7) } }
        assertTrue("$spent bytes", spent < 4_000)
    }

    @Test
    fun `the hint names what is wrong first`() {
        val hint = FrameHint()
        fun judged(at: (Int, Int) -> Int): Hint {
            val luma = ByteArray(160 * 120) { at(it % 160, it / 160).coerceIn(0, 255).toByte() }
            return hint.judge(luma, 160, 120, 160, 0.8)
        }
        fun edge(x: Int) = if ((x / 9) % 2 == 0) 90 else 170
        fun soft(x: Int) = 130 + (40 * kotlin.math.sin(x / 15.0)).toInt()
        assertEquals(Hint.TOO_DARK, judged { x, _ -> edge(x) / 8 })
        assertEquals(Hint.TOO_BRIGHT, judged { x, _ -> edge(x) + 120 })
        assertEquals(Hint.BLURRED, judged { x, y -> soft(x + y) })
        assertEquals(Hint.GOOD, judged { x, _ -> edge(x) })
        assertEquals(Hint.TOO_BRIGHT, judged { x, y -> if (x in 70..90 && y in 45..75) 255 else edge(x) })
    }
}
