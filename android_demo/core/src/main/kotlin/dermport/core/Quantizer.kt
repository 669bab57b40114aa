package dermport.core

import kotlin.math.round

/** Between the numbers that a tensor stores and those that they stand for; nothing is allocated. */
object Quantizer {
    /** Pixels as a float network takes them: 0 to 255. */
    fun toFloats(pixels: ByteArray, into: FloatArray) {
        for (i in into.indices) into[i] = (pixels[i].toInt() and 0xFF).toFloat()
    }

    /** real / scale + zero point, rounded half to even and cut to the type's range. */
    fun quantize(values: FloatArray, type: ElementType, by: Quantization, into: ByteArray) {
        val low = if (type == ElementType.UINT8) 0 else -128
        for (i in values.indices) {
            val stored = round(values[i].toDouble() / by.scale) + by.zeroPoint
            into[i] = stored.coerceIn(low.toDouble(), low + 255.0).toInt().toByte()
        }
    }

    /** scale × (stored − zero point). */
    fun dequantize(values: ByteArray, type: ElementType, by: Quantization, into: FloatArray) {
        val mask = if (type == ElementType.UINT8) 0xFF else -1
        for (i in into.indices) into[i] = ((values[i].toInt() and mask) - by.zeroPoint) * by.scale
    }
}
