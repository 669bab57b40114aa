package dermport.core

/**
 * Whether a .tflite has all of its bytes, as `runtimes/tflite_completeness.py` finds out.
 *
 * A flatbuffer does not say how long it is, and LiteRT reads on behind a file that was cut short: it may
 * find other operators there, and answer. Numbers of fields are those of TensorFlow Lite's schema.fbs.
 */
internal class Completeness(private val origin: String) {
    private var tables = 0

    /**
     * Looks up every table, list and text that the graph leads to.
     *
     * @throws Problem one ends behind the file, or there are more than any phone runs.
     */
    fun check(model: FlatTable) {
        for (buffer in counted(model.tables(4))) {
            buffer.checkList(0, 1)
            val offset = buffer.long(1, 0)
            if (offset > 1) buffer.checkOutside(offset, buffer.long(2, 0)) // its data stands behind the tables
        }
        for (code in counted(model.tables(1))) code.checkList(1, 1)
        for (entry in counted(model.tables(6))) entry.checkList(0, 1)
        for (graph in counted(model.tables(2))) checkGraph(graph)
    }

    private fun checkGraph(graph: FlatTable) {
        graph.checkList(1, 4)
        graph.checkList(2, 4)
        graph.checkList(4, 1)
        for (tensor in counted(graph.tables(0))) {
            tensor.checkList(0, 4)
            tensor.checkList(3, 1)
            val quantization = tensor.table(4) ?: continue
            for (field in 0..2) quantization.checkList(field, 4)
            quantization.checkList(3, 8)
        }
        for (operator in counted(graph.tables(3))) {
            operator.checkList(1, 4)
            operator.checkList(2, 4)
        }
    }

    private fun counted(found: List<FlatTable>): List<FlatTable> {
        tables += found.size
        if (tables > MOST) throw Problem(Fault.ModelDamaged(origin))
        return found
    }

    private companion object {
        const val MOST = 200_000 // a hostile file can list one table any number of times
    }
}
