package dermport.demo

import android.content.Context
import android.os.Build
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import dermport.core.BenchmarkAsk
import dermport.core.ElementType
import dermport.core.Fault
import dermport.core.ModelFile
import dermport.core.Problem
import dermport.core.Quantizer

/**
 * A model opened by LiteRT.
 *
 * @property ran the delegate that runs, which is not always the one that was asked for.
 * @property refusal what LiteRT said where the GPU refused the model; null where it did not.
 */
class Network private constructor(
    private val compiled: CompiledModel,
    private val file: ModelFile,
    val ran: String,
    val threads: Int,
    val refusal: String?,
) : AutoCloseable {
    private val input: TensorBuffer = compiled.createInputBuffer(ModelFile.INPUT)
    private val outputs: Map<String, TensorBuffer> = ModelFile.OUTPUTS.associateWith { compiled.createOutputBuffer(it) }
    private val inputs: Map<String, TensorBuffer> = mapOf(ModelFile.INPUT to input)
    private val floats = FloatArray(if (file.input.type == ElementType.FLOAT32) file.input.elements else 0)

    /**
     * Runs the pixels of [dermport.core.Preprocessor.output]; [output] then tells the answers.
     *
     * @throws Problem LiteRT gave up, as for want of memory.
     */
    fun run(pixels: ByteArray) = guarded {
        if (file.input.type == ElementType.UINT8) {
            input.writeInt8(pixels)
        } else {
            Quantizer.toFloats(pixels, floats)
            input.writeFloat(floats)
        }
        compiled.run(inputs, outputs)
    }

    /** One output of the last [run], by its name. */
    fun output(name: String): FloatArray = guarded { outputs.getValue(name).readFloat() }

    private fun <T> guarded(work: () -> T): T = try {
        work()
    } catch (error: LiteRtException) {
        throw Problem(Fault.RuntimeFailed(ran, said(error)), error)
    }

    override fun close() {
        input.close()
        outputs.values.forEach { it.close() }
        compiled.close()
    }

    companion object {
        /**
         * Opens a model; where the GPU refuses it, on the CPU, and [refusal] says so.
         *
         * @param asked [BenchmarkAsk.CPU] or [BenchmarkAsk.GPU].
         * @throws Problem LiteRT refused it on the CPU too.
         */
        fun open(context: Context, model: OpenedModel, asked: String, threads: Int): Network = try {
            opened(context, model, asked, threads)
        } catch (error: LinkageError) {
            throw Problem(Fault.RuntimeMissing(Build.SUPPORTED_ABIS.joinToString()), error)
        }

        private fun opened(context: Context, model: OpenedModel, asked: String, threads: Int): Network {
            var refusal: String? = null
            if (asked == BenchmarkAsk.GPU) {
                try {
                    val compiled = compile(context, model, CompiledModel.Options(Accelerator.GPU))
                    return checked(compiled) { Network(compiled, model.file, BenchmarkAsk.GPU, threads, null) }
                } catch (error: LiteRtException) {
                    refusal = said(error)
                }
            }
            try {
                val options = CompiledModel.Options(Accelerator.CPU)
                options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
                val compiled = compile(context, model, options)
                return checked(compiled) { Network(compiled, model.file, BenchmarkAsk.CPU, threads, refusal) }
            } catch (error: LiteRtException) {
                throw Problem(Fault.ModelRefused(model.name, said(error)), error)
            }
        }

        private fun said(error: LiteRtException): String = error.message ?: error.javaClass.simpleName

        private fun compile(context: Context, model: OpenedModel, options: CompiledModel.Options): CompiledModel =
            if (model.asset != null) {
                CompiledModel.create(context.assets, model.asset, options)
            } else {
                CompiledModel.create(checkNotNull(model.path), options)
            }

        /** Does not leave a compiled model behind whose buffers cannot be made. */
        private fun checked(compiled: CompiledModel, make: () -> Network): Network = try {
            make()
        } catch (error: Throwable) {
            compiled.close()
            throw error
        }
    }
}
