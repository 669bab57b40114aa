package dermport.core

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A table of a flatbuffer, whose offsets are not trusted: a wrong one is a [Problem]. */
class FlatTable private constructor(private val bytes: ByteBuffer, private val at: Int, private val origin: String) {
    private val fields: Int
    private val fieldsEnd: Int

    init {
        fields = at - int(at)
        if (fields < 0 || fields + 4 > bytes.limit()) throw damaged()
        fieldsEnd = fields + short(fields)
        if (fieldsEnd > bytes.limit() || at + short(fields + 2).toLong() > bytes.limit()) throw damaged()
    }

    fun int(field: Int, otherwise: Int): Int = place(field)?.let { int(it) } ?: otherwise

    fun byte(field: Int, otherwise: Int): Int = place(field)?.let { checked(it, 1); bytes.get(it).toInt() } ?: otherwise

    fun long(field: Int, otherwise: Long): Long = place(field)?.let { checked(it, 8); bytes.getLong(it) } ?: otherwise

    fun text(field: Int): String? = place(field)?.let { string(it) }

    fun table(field: Int): FlatTable? = place(field)?.let { FlatTable(bytes, target(it), origin) }

    fun tables(field: Int): List<FlatTable> =
        vector(field, 4).let { (start, count) -> List(count) { FlatTable(bytes, target(start + 4 * it), origin) } }

    fun ints(field: Int): IntArray = vector(field, 4).let { (start, count) -> IntArray(count) { int(start + 4 * it) } }

    fun floats(field: Int): FloatArray =
        vector(field, 4).let { (start, count) -> FloatArray(count) { bytes.getFloat(start + 4 * it) } }

    fun longs(field: Int): LongArray =
        vector(field, 8).let { (start, count) -> LongArray(count) { bytes.getLong(start + 8 * it) } }

    fun bytes(field: Int): ByteArray = vector(field, 1).let { (start, count) -> copy(start, count) }

    /** Checks that a list or a text of [width] bytes an item ends within the file; none is no fault. */
    fun checkList(field: Int, width: Int) {
        vector(field, width)
    }

    /** Bytes that stand outside of the tables, as newer writers put weights. */
    fun outside(start: Long, count: Long): ByteArray {
        checkOutside(start, count)
        return copy(start.toInt(), count.toInt())
    }

    /** Checks that they lie within the file. */
    fun checkOutside(start: Long, count: Long) {
        if (start < 0 || count < 0 || start > bytes.limit() || count > bytes.limit() - start) throw damaged()
    }

    private fun copy(start: Int, count: Int): ByteArray {
        val copy = ByteArray(count)
        val view = bytes.duplicate()
        val place: Buffer = view // ByteBuffer has a position of its own only since Android 10
        place.position(start)
        view.get(copy)
        return copy
    }

    private fun place(field: Int): Int? {
        val entry = fields + 4 + 2 * field
        if (entry + 2 > fieldsEnd) return null
        val offset = short(entry)
        return if (offset == 0) null else at + offset
    }

    private fun vector(field: Int, width: Int): Pair<Int, Int> {
        val start = place(field)?.let { target(it) } ?: return 0 to 0
        val count = int(start)
        if (count < 0 || start + 4 + count.toLong() * width > bytes.limit()) throw damaged()
        return start + 4 to count
    }

    private fun string(place: Int): String {
        val start = target(place)
        val count = int(start)
        if (count < 0 || start + 4 + count.toLong() > bytes.limit()) throw damaged()
        return String(copy(start + 4, count), Charsets.UTF_8)
    }

    private fun target(place: Int): Int {
        val target = place + int(place).toLong()
        if (target < 0 || target + 4 > bytes.limit()) throw damaged()
        return target.toInt()
    }

    private fun int(place: Int): Int {
        checked(place, 4)
        return bytes.getInt(place)
    }

    private fun short(place: Int): Int {
        checked(place, 2)
        return bytes.getShort(place).toInt() and 0xFFFF
    }

    private fun checked(place: Int, count: Int) {
        if (place < 0 || place + count.toLong() > bytes.limit()) throw damaged()
    }

    private fun damaged() = Problem(Fault.ModelDamaged(origin))

    companion object {
        /** The root table of a flatbuffer. */
        fun root(content: ByteBuffer, origin: String): FlatTable {
            val bytes = content.duplicate().order(ByteOrder.LITTLE_ENDIAN)
            if (bytes.limit() < 8) throw Problem(Fault.ModelDamaged(origin))
            return FlatTable(bytes, bytes.getInt(0), origin)
        }
    }
}
