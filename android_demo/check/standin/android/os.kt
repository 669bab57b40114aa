package android.os

import java.io.DataInputStream
import java.io.DataOutputStream
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue

/** Named values; those of a type are given back as that type alone. */
class Bundle {
    private val values = LinkedHashMap<String, Any?>()

    fun keySet(): Set<String> = LinkedHashSet(values.keys)
    fun get(key: String): Any? = values[key]
    fun getBoolean(key: String): Boolean = values[key] as? Boolean ?: false
    fun getInt(key: String): Int = getInt(key, 0)
    fun getInt(key: String, otherwise: Int): Int = values[key] as? Int ?: otherwise
    fun getFloat(key: String): Float = values[key] as? Float ?: 0f
    fun getDouble(key: String): Double = values[key] as? Double ?: 0.0
    fun getString(key: String): String? = values[key] as? String
    fun getFloatArray(key: String): FloatArray? = values[key] as? FloatArray
    fun getBundle(key: String): Bundle? = values[key] as? Bundle
    fun putBoolean(key: String, value: Boolean) = values.set(key, value)
    fun putInt(key: String, value: Int) = values.set(key, value)
    fun putFloat(key: String, value: Float) = values.set(key, value)
    fun putDouble(key: String, value: Double) = values.set(key, value)
    fun putString(key: String, value: String?) = values.set(key, value)
    fun putFloatArray(key: String, value: FloatArray?) = values.set(key, value)
    fun putBundle(key: String, value: Bundle?) = values.set(key, value)

    /** As the system keeps it outside the process. */
    internal fun writeTo(out: DataOutputStream) {
        out.writeInt(values.size)
        for ((key, value) in values) {
            out.writeUTF(key)
            when (value) {
                null -> out.writeByte(0)
                is Boolean -> out.apply { writeByte(1); writeBoolean(value) }
                is Int -> out.apply { writeByte(2); writeInt(value) }
                is Float -> out.apply { writeByte(3); writeFloat(value) }
                is Double -> out.apply { writeByte(4); writeDouble(value) }
                is String -> out.apply { writeByte(5); value.toByteArray().let { writeInt(it.size); write(it) } }
                is FloatArray -> out.apply { writeByte(6); writeInt(value.size); value.forEach(::writeFloat) }
                is Bundle -> out.apply { writeByte(7) }.also(value::writeTo)
                else -> error("a Bundle holds no ${value.javaClass.name}")
            }
        }
    }

    internal companion object {
        fun readFrom(from: DataInputStream): Bundle {
            val bundle = Bundle()
            repeat(from.readInt()) {
                val key = from.readUTF()
                bundle.values[key] = when (val type = from.readByte().toInt()) {
                    0 -> null
                    1 -> from.readBoolean()
                    2 -> from.readInt()
                    3 -> from.readFloat()
                    4 -> from.readDouble()
                    5 -> String(ByteArray(from.readInt()).also(from::readFully))
                    6 -> FloatArray(from.readInt()) { from.readFloat() }
                    7 -> readFrom(from)
                    else -> error("type $type")
                }
            }
            return bundle
        }
    }
}

/** A thread's queue of things to do. */
class Looper internal constructor() {
    private val waiting = LinkedBlockingQueue<Runnable>()
    private var ended = false

    internal fun add(work: Runnable): Boolean = synchronized(this) { !ended && waiting.add(work) }

    internal fun run() {
        while (true) {
            val work = waiting.take()
            if (work === END) return
            work.run()
        }
    }

    /** What is in the queue is still done. */
    internal fun end() = synchronized(this) {
        if (!ended) waiting.add(END)
        ended = true
    }

    companion object {
        private val END = Runnable {}
        private val MAIN = Looper()

        @JvmStatic
        fun getMainLooper(): Looper = MAIN
    }
}

class Handler(private val looper: Looper) {
    fun post(work: Runnable): Boolean = looper.add(work)
}

class HandlerThread(name: String) : Thread(name) {
    private val begun = CountDownLatch(1)
    private val queue = Looper()

    val looper: Looper
        get() {
            begun.await()
            return queue
        }

    override fun run() {
        begun.countDown()
        queue.run()
    }

    fun quitSafely(): Boolean {
        queue.end()
        return true
    }
}

object Build {
    @JvmField val MANUFACTURER = "dermport"
    @JvmField val MODEL = "stand-in"
    @JvmField val BOARD = "none"
    @JvmField val ID = "none"
    @JvmField val SUPPORTED_ABIS = arrayOf("x86_64")
    @JvmField val SOC_MANUFACTURER = "unknown"
    @JvmField val SOC_MODEL = "unknown"

    object VERSION {
        @JvmField val RELEASE = "not told"
        @JvmField val SDK_INT: Int = Integer.getInteger("phone.sdk", 33)
    }
}

class PowerManager internal constructor() {
    val currentThermalStatus = 0
}
