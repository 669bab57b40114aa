package com.google.ai.edge.litert

import android.content.res.AssetManager
import dermport.check.LiteRtModel
import dermport.core.ModelFile
import dermport.phone.Phone
import kotlin.math.floor

enum class Accelerator { NONE, CPU, GPU, NPU }

class LiteRtException(message: String) : Exception(message)

/** What goes into a model or comes out of it. */
class TensorBuffer internal constructor() : AutoCloseable {
    internal var bytes = ByteArray(0)
    internal var values = FloatArray(0)
    private var closed = false

    fun writeInt8(data: ByteArray) = open { bytes = data.copyOf() }

    /** Pixels of a float32 model are whole numbers from 0 to 255. */
    fun writeFloat(data: FloatArray) = open {
        require(data.all { it in 0f..255f && it == floor(it) }) { "no pixels" }
        bytes = ByteArray(data.size) { data[it].toInt().toByte() }
    }

    fun readFloat(): FloatArray = open { values.copyOf() }

    override fun close() {
        closed = true
    }

    private fun <T> open(work: () -> T): T {
        check(!closed) { "a closed buffer is used" }
        return work()
    }
}

/** The app's way to a network, here LiteRT's own C library on the CPU; there is no GPU. */
class CompiledModel private constructor(private val file: ModelFile, private val model: LiteRtModel) : AutoCloseable {
    private var closed = false

    /** The number of threads is LiteRT's own here. */
    class CpuOptions(@Suppress("unused") val numThreads: Int? = null)

    class Options(internal vararg val accelerators: Accelerator) {
        var cpuOptions: CpuOptions? = null
    }

    @Suppress("UNUSED_PARAMETER")
    fun createInputBuffer(inputName: String, signature: String? = null): TensorBuffer {
        require(inputName == file.input.name) { "no input is called $inputName" }
        return TensorBuffer()
    }

    @Suppress("UNUSED_PARAMETER")
    fun createOutputBuffer(outputName: String, signature: String? = null) = TensorBuffer()

    @Suppress("UNUSED_PARAMETER")
    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String? = null) {
        check(!closed) { "a closed model is run" }
        val found = told { model.run(inputs.getValue(file.input.name).bytes) }
        for ((name, buffer) in outputs) buffer.values = found.getValue(name)
    }

    override fun close() {
        closed = true
    }

    companion object {
        @JvmStatic
        fun create(assetManager: AssetManager, assetName: String, options: Options) =
            create(assetManager.folder.resolve(assetName).path, options)

        @JvmStatic
        fun create(filePath: String, options: Options): CompiledModel {
            if (Accelerator.GPU in options.accelerators) throw LiteRtException("no GPU here")
            val (file, model) = told { LiteRtModel.open(Phone.litert, filePath) }
            return CompiledModel(file, model)
        }

        private fun <T> told(work: () -> T): T = try {
            work()
        } catch (error: IllegalStateException) {
            throw LiteRtException("${error.message}")
        }
    }
}
