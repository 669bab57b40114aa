package dermport.check

import com.sun.jna.Library
import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import com.sun.jna.ptr.PointerByReference
import dermport.core.ElementType
import dermport.core.ModelFile
import dermport.core.Quantizer
import java.io.File

/** The functions of LiteRT's C library that a run needs, as version 2.3.0 has them. */
@Suppress("FunctionName")
interface LiteRtLibrary : Library {
    fun LiteRtCreateEnvironment(options: Int, values: Pointer?, environment: PointerByReference): Int
    fun LiteRtCreateModelFromFile(environment: Pointer, path: String, model: PointerByReference): Int
    fun LiteRtCreateOptions(options: PointerByReference): Int
    fun LiteRtSetOptionsHardwareAccelerators(options: Pointer, accelerators: Int): Int
    fun LiteRtCreateCompiledModel(environment: Pointer, model: Pointer, options: Pointer, compiled: PointerByReference): Int
    fun LiteRtCompiledModelIsFullyAccelerated(compiled: Pointer, answer: Memory): Int
    fun LiteRtGetModelSignature(model: Pointer, index: NativeLong, signature: PointerByReference): Int
    fun LiteRtGetNumSignatureOutputs(signature: Pointer, count: Memory): Int
    fun LiteRtGetSignatureOutputName(signature: Pointer, index: NativeLong, name: PointerByReference): Int
    fun LiteRtGetSignatureInputTensorByIndex(signature: Pointer, index: NativeLong, tensor: PointerByReference): Int
    fun LiteRtGetSignatureOutputTensorByIndex(signature: Pointer, index: NativeLong, tensor: PointerByReference): Int
    fun LiteRtGetRankedTensorType(tensor: Pointer, type: Memory): Int
    fun LiteRtGetCompiledModelInputBufferRequirements(compiled: Pointer, signature: NativeLong, index: NativeLong, requirements: PointerByReference): Int
    fun LiteRtGetCompiledModelOutputBufferRequirements(compiled: Pointer, signature: NativeLong, index: NativeLong, requirements: PointerByReference): Int
    fun LiteRtCreateManagedTensorBufferFromRequirements(environment: Pointer, type: Memory, requirements: Pointer, buffer: PointerByReference): Int
    fun LiteRtGetTensorBufferPackedSize(buffer: Pointer, size: Memory): Int
    fun LiteRtLockTensorBuffer(buffer: Pointer, address: PointerByReference, mode: Int): Int
    fun LiteRtUnlockTensorBuffer(buffer: Pointer): Int
    fun LiteRtRunCompiledModel(compiled: Pointer, signature: NativeLong, inputs: NativeLong, input: Memory, outputs: NativeLong, output: Memory): Int
}

/** A .tflite opened by LiteRT's own library on the CPU, as the app opens it on a phone. */
class LiteRtModel(library: String, path: String, private val file: ModelFile) {
    private val litert = Native.load(library, LiteRtLibrary::class.java)
    private val environment = made("environment") { litert.LiteRtCreateEnvironment(0, null, it) }
    private val model = made("model") { litert.LiteRtCreateModelFromFile(environment, path, it) }
    private val options = made("options") { litert.LiteRtCreateOptions(it) }
    private val compiled: Pointer
    private val input: Buffer
    private val outputs: Map<String, Buffer>
    private val inputList: Memory
    private val outputList: Memory
    private val floats = FloatArray(file.input.elements)

    init {
        checked("accelerator", litert.LiteRtSetOptionsHardwareAccelerators(options, CPU))
        compiled = made("compiled model") { litert.LiteRtCreateCompiledModel(environment, model, options, it) }
        val signature = made("signature") { litert.LiteRtGetModelSignature(model, ZERO, it) }
        input = Buffer(
            made("input") { litert.LiteRtGetSignatureInputTensorByIndex(signature, ZERO, it) },
            made("requirements") { litert.LiteRtGetCompiledModelInputBufferRequirements(compiled, ZERO, ZERO, it) },
        )
        val count = number { litert.LiteRtGetNumSignatureOutputs(signature, it) }
        outputs = (0 until count).associate { i ->
            val index = NativeLong(i)
            val name = made("name") { litert.LiteRtGetSignatureOutputName(signature, index, it) }.getString(0)
            name to Buffer(
                made("output") { litert.LiteRtGetSignatureOutputTensorByIndex(signature, index, it) },
                made("requirements") { litert.LiteRtGetCompiledModelOutputBufferRequirements(compiled, ZERO, index, it) },
            )
        }
        inputList = Memory(8).also { it.setPointer(0, input.buffer) }
        outputList = Memory(8 * count)
        outputs.values.forEachIndexed { i, output -> outputList.setPointer(8L * i, output.buffer) }
    }

    /** Whether a fast kernel took every operator. */
    val wholeGraph: Boolean
        get() {
            val answer = Memory(1).also { it.setByte(0, 0) }
            checked("acceleration", litert.LiteRtCompiledModelIsFullyAccelerated(compiled, answer))
            return answer.getByte(0) != 0.toByte()
        }

    /** Answers for the pixels of [dermport.core.Preprocessor.output]; outputs by name. */
    fun run(pixels: ByteArray): Map<String, FloatArray> {
        input.locked(WRITE) { address ->
            if (file.input.type == ElementType.UINT8) {
                address.write(0, pixels, 0, pixels.size)
            } else {
                Quantizer.toFloats(pixels, floats)
                address.write(0, floats, 0, floats.size)
            }
        }
        val done = litert.LiteRtRunCompiledModel(compiled, ZERO, NativeLong(1), inputList, NativeLong(outputs.size.toLong()), outputList)
        checked("run", done)
        return outputs.mapValues { (_, output) ->
            var values = FloatArray(0)
            output.locked(READ) { values = it.getFloatArray(0, output.bytes / 4) }
            values
        }
    }

    private inner class Buffer(tensor: Pointer, requirements: Pointer) {
        val buffer: Pointer
        val bytes: Int

        init {
            val type = Memory(TYPE_BYTES).also { it.clear() }
            checked("tensor type", litert.LiteRtGetRankedTensorType(tensor, type))
            buffer = made("buffer") { litert.LiteRtCreateManagedTensorBufferFromRequirements(environment, type, requirements, it) }
            bytes = number { litert.LiteRtGetTensorBufferPackedSize(buffer, it) }.toInt()
        }

        fun locked(mode: Int, work: (Pointer) -> Unit) {
            work(made("lock") { litert.LiteRtLockTensorBuffer(buffer, it, mode) })
            checked("unlock", litert.LiteRtUnlockTensorBuffer(buffer))
        }
    }

    private fun made(what: String, make: (PointerByReference) -> Int): Pointer {
        val place = PointerByReference()
        checked(what, make(place))
        return place.value
    }

    private fun number(ask: (Memory) -> Int): Long {
        val place = Memory(8).also { it.clear() }
        checked("number", ask(place))
        return place.getLong(0)
    }

    private fun checked(what: String, status: Int) = check(status == 0) { "LiteRT: $what failed with status $status" }

    companion object {
        private const val CPU = 1
        private const val READ = 0
        private const val WRITE = 1
        private const val TYPE_BYTES = 512L
        private val ZERO = NativeLong(0)

        /** Opens a file through the core, as the app does. */
        fun open(library: String, path: String): Pair<ModelFile, LiteRtModel> {
            val file = ModelFile.read(java.nio.ByteBuffer.wrap(File(path).readBytes()), File(path).name)
            return file to LiteRtModel(library, path, file)
        }
    }
}
