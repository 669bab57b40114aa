package dermport.demo

import android.content.Context
import dermport.core.BenchmarkAsk
import dermport.core.BenchmarkWay
import dermport.core.ElementType
import dermport.core.PhoneRecord
import dermport.core.PhoneRun
import dermport.core.PhoneSettings
import dermport.core.Storage
import dermport.core.TimedFile
import dermport.core.TimedRuns
import java.io.File
import java.util.Random

/** Runs the model in every way that was asked for, one after the other; on the worker only. */
class Benchmark(private val context: Context, private val ask: BenchmarkAsk, private val stopped: () -> Boolean) {
    private val model = Diagnoser.model(context)
    private val pixels = ByteArray(model.file.input.elements).also { Random(0).nextBytes(it) }
    private val timed = TimedRuns { System.nanoTime() }
    private val runs = ArrayList<PhoneRun>()

    /** Tells of each run before it begins, by its number, and of all that are finished. */
    fun run(begun: (Int, BenchmarkWay) -> Unit, finished: (List<PhoneRun>) -> Unit) {
        for (way in ask.ways) {
            if (stopped()) return
            begun(runs.size + 1, way)
            val run = measure(way)
            if (stopped()) return // cut short: no figures
            runs.add(run)
            finished(ArrayList(runs))
        }
    }

    private fun measure(way: BenchmarkWay): PhoneRun {
        val before = PhoneTeller.state(context)
        val start = System.nanoTime()
        val network = Network.open(context, model, way.delegate, way.threads)
        val loaded = System.nanoTime()
        network.use {
            it.run(pixels)
            it.output("probabilities") // also waits for a GPU
            val first = System.nanoTime()
            val times = timed.take(ask.runs, ask.seconds, stopped) {
                it.run(pixels)
                it.output("probabilities")
            }
            return PhoneRun(
                threads = way.threads,
                asked = way.delegate,
                ran = it.ran,
                coverage = "not told",
                loadMs = (loaded - start) / 1e6,
                firstMs = (first - loaded) / 1e6,
                times = times,
                before = before,
                after = PhoneTeller.state(context),
                tookSeconds = (System.nanoTime() - start) / 1e9,
                refusal = it.refusal,
            )
        }
    }

    /** Writes what is finished to where adb can pull it; returns the path, null where nothing is. */
    fun write(): String? {
        if (runs.isEmpty()) return null
        val format = when {
            model.file.input.type == ElementType.UINT8 -> "tflite:int8"
            "fp16" in model.name -> "tflite:fp16"
            else -> "tflite:fp32"
        }
        val settings = PhoneSettings(
            TimedFile(model.name, format, model.bytes, model.sha256),
            ask.threads,
            ask.delegates,
            ask.ways.size,
            ask.runs,
            ask.seconds.toDouble(),
        )
        val phone = PhoneTeller.id(context)
        val json = PhoneRecord.json(phone, PhoneTeller.app(context), PhoneTeller.facts(), settings, runs)
        val folder = context.getExternalFilesDir(null) ?: context.filesDir
        val target = File(folder, FILE)
        Storage.replace(target) { it.writeText(json) }
        return target.path
    }

    companion object {
        const val FILE = "benchmark.json"
    }
}
