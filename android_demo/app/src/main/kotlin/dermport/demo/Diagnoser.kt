package dermport.demo

import android.content.Context
import android.net.Uri
import android.os.Handler
import android.os.Looper
import dermport.core.Answer
import dermport.core.BenchmarkAsk
import dermport.core.Fault
import dermport.core.ModelFile
import dermport.core.Outcome
import dermport.core.Preprocessor
import dermport.core.Problem
import java.util.concurrent.ExecutorService
import java.util.concurrent.Executors

/** The one place where models are opened and pictures looked at, on a thread of its own. */
object Diagnoser {
    private const val THREADS = 4
    private val worker: ExecutorService = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())

    // Only the worker touches these.
    private var model: OpenedModel? = null
    private var network: Network? = null
    private var preprocessor: Preprocessor? = null

    /** Does [work] on the worker, then one of the others on the main thread. */
    fun <T> background(work: () -> T, done: (T) -> Unit, failed: (Fault) -> Unit) {
        worker.execute {
            val told = Outcome.of(work, done, failed)
            main.post(told)
        }
    }

    /** The model in use; on the worker only. */
    fun model(context: Context): OpenedModel = model ?: OpenedModel.current(context).also { model = it }

    private fun use(opened: OpenedModel) {
        val before = network
        network = null
        preprocessor = null
        model = opened
        before?.close() // last: the other model is used even where LiteRT fails at this
    }

    /** Takes a model from storage if LiteRT runs it, and uses it from now on; on the worker only. */
    fun adopt(context: Context, uri: Uri): OpenedModel {
        val adopted = OpenedModel.adopt(context, uri) { candidate ->
            Network.open(context, candidate, BenchmarkAsk.CPU, THREADS).use { network ->
                network.run(ByteArray(candidate.file.input.elements))
                Answer.of(candidate.file.contract, network.output("probabilities"), network.output("unknown")[0])
            }
        }
        use(adopted)
        return adopted
    }

    /** Goes back to the model in the assets, see [OpenedModel.forget]; on the worker only. */
    fun useShipped(context: Context): OpenedModel = OpenedModel.forget(context).also { use(it) }

    /** Looks at a picture; on the worker only. */
    fun look(context: Context, photo: Photo): Diagnosis {
        val model = model(context)
        val preprocessor = preprocessor ?: Preprocessor(model.file.contract.recipe).also { preprocessor = it }
        val network = network ?: Network.open(context, model, BenchmarkAsk.CPU, THREADS).also { network = it }
        val start = System.nanoTime()
        val pixels = preprocessor.run(BitmapPixels(photo.bitmap), photo.orientation)
        val prepared = System.nanoTime()
        val found = try {
            network.run(pixels)
            ModelFile.OUTPUTS.associateWith { network.output(it) }
        } catch (problem: Problem) {
            this.network = null // whoever tries again gets a new one
            network.close()
            throw problem
        }
        val done = System.nanoTime()
        return Diagnosis(
            model.sha256,
            found.getValue("probabilities"),
            found.getValue("cam"),
            found.getValue("unknown")[0],
            (prepared - start) / 1e6,
            (done - prepared) / 1e6,
            network.ran,
            network.threads,
            photo.cut,
        )
    }
}
