package dermport.core

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** The types of tensors that the exported files take and give. */
enum class ElementType { FLOAT32, UINT8, INT8 }

/** Real value = scale × (stored − zeroPoint). */
data class Quantization(val scale: Float, val zeroPoint: Int)

/** An input or output of the network, under the name that its signature gives it. */
data class Tensor(val name: String, val shape: List<Int>, val type: ElementType, val quantization: Quantization?) {
    val elements: Int get() = shape.fold(1) { product, side -> product * side }
}

/** A .tflite file: its contract, and the tensors as the network itself declares them. */
class ModelFile private constructor(
    val contract: Contract,
    val input: Tensor,
    val outputs: List<Tensor>,
) {
    /** Where an output stands among [outputs], the order in which the network gives them. */
    fun position(output: String): Int = outputs.indexOfFirst { it.name == output }

    /** (height, width) of the class activation maps. */
    val mapSize: Pair<Int, Int> get() = outputs[position("cam")].shape.let { it[1] to it[2] }

    companion object {
        const val METADATA = "DERMPORT_CONTRACT"
        const val INPUT = "image"
        val OUTPUTS = listOf("probabilities", "cam", "unknown")
        private const val IDENTIFIER = "TFL3"

        /**
         * Reads the tables of a model and looks whether all of it is there; weights are not touched.
         *
         * @param content the whole file, from position 0.
         * @param origin what messages call it.
         * @throws Problem truncated, of another kind, without a contract, or not what it says.
         */
        fun read(content: ByteBuffer, origin: String): ModelFile {
            checkKind(content, origin)
            val model = FlatTable.root(content, origin)
            Completeness(origin).check(model)
            val text = metadata(model, origin) ?: throw Problem(Fault.ModelWithoutContract(origin))
            val contract = Contract.parse(text, origin)
            val (input, outputs) = signature(model, origin)
            return ModelFile(contract, input, outputs).also { check(it, origin) }
        }

        private fun checkKind(content: ByteBuffer, origin: String) {
            val found = if (content.limit() < 8) "" else String(CharArray(4) { content.get(4 + it).toInt().toChar() })
            if (found != IDENTIFIER) throw Problem(Fault.ModelOfAnotherKind(origin))
        }

        // Numbers of fields are those of TensorFlow Lite's schema.fbs.
        private fun metadata(model: FlatTable, origin: String): String? {
            val buffers = model.tables(4)
            val entry = model.tables(6).firstOrNull { it.text(0) == METADATA } ?: return null
            val buffer = buffers.getOrNull(entry.int(1, 0)) ?: return null
            val offset = buffer.long(1, 0)
            val data = if (offset > 1) buffer.outside(offset, buffer.long(2, 0)) else buffer.bytes(0)
            return try {
                Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data)).toString()
            } catch (error: CharacterCodingException) {
                throw Problem(Fault.ModelDamaged(origin), error)
            }
        }

        private fun signature(model: FlatTable, origin: String): Pair<Tensor, List<Tensor>> {
            val signatures = model.tables(7)
            val subgraphs = model.tables(2)
            if (signatures.size != 1) throw other(origin, "signatures: ${signatures.size}", "1")
            val graph = subgraphs.getOrNull(signatures[0].int(4, 0)) ?: throw other(origin, "subgraphs: ${subgraphs.size}", "1")
            val tensors = graph.tables(0)
            fun named(field: Int) = signatures[0].tables(field).map { entry ->
                val tensor = tensors.getOrNull(entry.int(1, 0)) ?: throw other(origin, "tensors: ${tensors.size}", "> ${entry.int(1, 0)}")
                tensor(entry.text(0) ?: "", tensor, origin)
            }
            val inputs = named(0)
            if (inputs.map { it.name } != listOf(INPUT)) {
                throw other(origin, "inputs: ${inputs.joinToString { it.name }}", INPUT)
            }
            val outputs = named(1)
            if (outputs.map { it.name }.sorted() != OUTPUTS.sorted()) {
                throw other(origin, "outputs: ${outputs.joinToString { it.name }}", OUTPUTS.joinToString())
            }
            return inputs[0] to outputs
        }

        private fun tensor(name: String, table: FlatTable, origin: String): Tensor {
            val type = when (val code = table.byte(1, 0)) {
                0 -> ElementType.FLOAT32
                3 -> ElementType.UINT8
                9 -> ElementType.INT8
                else -> throw other(origin, "$name: type $code", "float32, uint8 or int8")
            }
            val scales = table.table(4)?.floats(2) ?: FloatArray(0)
            val zeros = table.table(4)?.longs(3) ?: LongArray(0)
            val zero = zeros.firstOrNull() ?: 0
            val quantization = if (scales.isEmpty()) null else Quantization(scales[0], zero.toInt())
            return Tensor(name, table.ints(0).toList(), type, quantization)
        }

        private fun check(file: ModelFile, origin: String) {
            val side = file.contract.recipe.size
            val classes = file.contract.labels.size
            val cam = file.outputs[file.position("cam")].shape
            val fits = file.input.shape == listOf(1, side, side, 3) &&
                file.input.type == file.contract.inputType &&
                file.outputs[file.position("probabilities")].elements == classes &&
                file.outputs[file.position("unknown")].elements == 1 &&
                cam.size == 4 && cam[0] == 1 && cam[3] == classes && cam[1] in 1..64 && cam[2] in 1..64
            if (!fits) {
                val found = (listOf(file.input) + file.outputs).joinToString { "${it.name} ${it.shape} ${it.type}" }
                throw other(origin, found, "$side×$side, ${file.contract.inputType}, $classes")
            }
        }

        private fun other(origin: String, found: String, expected: String) =
            Problem(Fault.ModelOfAnotherNetwork(origin, "the file has $found; expected $expected"))
    }
}
