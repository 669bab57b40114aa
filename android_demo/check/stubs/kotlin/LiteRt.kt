// The names of LiteRT 2.3's Kotlin API that the app uses, without any code: what the build check
// compiles against. None of it goes into the .apk.
@file:Suppress("UNUSED_PARAMETER")

package com.google.ai.edge.litert

import android.content.res.AssetManager

private fun none(): Nothing = throw UnsupportedOperationException("a stub")

enum class Accelerator { NONE, CPU, GPU, NPU }

class LiteRtException(message: String) : Exception(message)

class TensorBuffer private constructor() : AutoCloseable {
    fun writeInt8(data: ByteArray): Unit = none()
    fun writeFloat(data: FloatArray): Unit = none()
    fun readFloat(): FloatArray = none()
    override fun close(): Unit = none()
}

class CompiledModel private constructor() : AutoCloseable {
    class CpuOptions(val numThreads: Int? = null)

    class Options(vararg accelerators: Accelerator) {
        var cpuOptions: CpuOptions? = null
    }

    fun createInputBuffer(inputName: String, signature: String? = null): TensorBuffer = none()
    fun createOutputBuffer(outputName: String, signature: String? = null): TensorBuffer = none()
    fun run(
        inputs: Map<String, TensorBuffer>,
        outputs: Map<String, TensorBuffer>,
        signature: String? = null,
    ): Unit = none()
    override fun close(): Unit = none()

    companion object {
        @JvmStatic
        fun create(assetManager: AssetManager, assetName: String, options: Options): CompiledModel = none()

        @JvmStatic
        fun create(filePath: String, options: Options): CompiledModel = none()
    }
}
