package dermport.demo

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.WindowManager
import android.widget.Button
import android.widget.TextView
import dermport.core.BenchmarkAsk
import dermport.core.Outcome
import dermport.core.PhoneRun
import dermport.core.Problem
import java.util.Locale
import java.util.concurrent.atomic.AtomicBoolean

/**
 * Times the model on this phone. From a computer:
 * `adb shell am start -n dermport.demo/.BenchmarkActivity --es threads 1,4 --es delegates xnnpack,gpu
 * --ei runs 128 --ei seconds 10`
 */
class BenchmarkActivity : Activity() {
    /** One measurement, which a rotation does not end. */
    private class Measurement {
        val stop = AtomicBoolean()

        @Volatile
        var screen: BenchmarkActivity? = null
        var status = ""
        var rows = ""
        var running = true

        /** What a later start was refused for. */
        var refused: String? = null
    }

    private lateinit var start: Button
    private var measurement: Measurement? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.benchmark)
        SystemBars.keepClear(findViewById(R.id.screen) as View)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        start = findViewById(R.id.start) as Button
        start.setOnClickListener {
            val now = measurement
            if (now != null && now.running) stop(now) else begin(BenchmarkAsk.STANDARD)
        }
        @Suppress("DEPRECATION") // the way of the framework without a library
        measurement = lastNonConfigurationInstance as Measurement?
        measurement?.screen = this
        text(R.id.rows).text = savedInstanceState?.getString(ROWS) ?: ""
        text(R.id.status).text = savedInstanceState?.getString(STATUS) ?: ""
        if (measurement != null) refresh() else if (savedInstanceState == null) beginFrom(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        beginFrom(intent)
    }

    @Suppress("OVERRIDE_DEPRECATION")
    override fun onRetainNonConfigurationInstance(): Any? = measurement

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putString(ROWS, text(R.id.rows).text.toString())
        // read only after the end of the process, which is the measurement's as well
        val running = measurement?.running == true
        val status = if (running) getString(R.string.benchmark_ended) else text(R.id.status).text.toString()
        outState.putString(STATUS, status)
    }

    override fun onDestroy() {
        super.onDestroy()
        measurement?.screen = null
        if (isFinishing) measurement?.stop?.set(true)
    }

    /** Begins at once where `am start` gave a value; whatever it gives is checked. */
    private fun beginFrom(intent: Intent) {
        val given = given(intent)
        if (given.isEmpty()) return
        try {
            val ask = BenchmarkAsk.parse(given)
            if (measurement?.running == true) refuse(getString(R.string.benchmark_busy)) else begin(ask)
        } catch (problem: Problem) {
            refuse(Words.of(resources, problem.fault))
        }
    }

    /** Says why a start came to nothing; what runs goes on, and what was measured stays. */
    private fun refuse(why: String) {
        val now = measurement ?: Measurement().also {
            it.running = false
            it.screen = this
            it.rows = text(R.id.rows).text.toString()
            measurement = it
        }
        now.refused = why
        refresh()
    }

    private fun stop(now: Measurement) {
        now.stop.set(true)
        now.status = getString(R.string.benchmark_stopping)
        refresh()
    }

    @Suppress("DEPRECATION") // what replaces it asks for a type and passes over any other
    private fun given(intent: Intent): Map<String, Any?> {
        val extras = intent.extras ?: return emptyMap()
        return extras.keySet().associateWith { extras.get(it) }
    }

    private fun begin(ask: BenchmarkAsk) {
        val now = Measurement()
        now.status = getString(R.string.benchmark_waiting)
        now.screen = this
        measurement = now
        refresh()
        val context = applicationContext
        Diagnoser.background(
            {
                val benchmark = Benchmark(context, ask) { now.stop.get() }
                val fault = now.measure(benchmark, context, ask.ways.size)
                val written = benchmark.write()?.let { context.getString(R.string.benchmark_written, it) }
                val end = if (written == null) R.string.benchmark_stopped_early else R.string.benchmark_stopped
                val stopped = if (now.stop.get()) context.getString(end) else null
                listOfNotNull(fault, stopped, written).joinToString("\n")
            },
            { now.end(it) },
            { now.end(Words.of(context.resources, it)) },
        )
    }

    /** Runs it to its end; what ended it early, null where nothing did. What is finished stays. */
    private fun Measurement.measure(benchmark: Benchmark, context: Context, total: Int): String? = try {
        benchmark.run(
            { number, way ->
                val threads = threads(context, way.delegate, way.threads)
                if (!stop.get()) status = context.getString(R.string.benchmark_running, number, total, way.delegate, threads)
                tell()
            },
            { runs ->
                rows = runs.joinToString("\n\n") { row(context, it) }
                tell()
            },
        )
        null
    } catch (error: Exception) {
        Words.of(context.resources, Outcome.fault(error))
    }

    private fun Measurement.tell() {
        screen?.let { shown -> shown.runOnUiThread { shown.refresh() } }
    }

    private fun Measurement.end(words: String) {
        status = words
        running = false
        screen?.refresh()
    }

    private fun refresh() {
        val now = measurement ?: return
        val status = listOfNotNull(now.status.ifEmpty { null }, now.refused).joinToString("\n\n")
        if (text(R.id.status).text.toString() != status) text(R.id.status).text = status // TalkBack speaks at every change
        text(R.id.rows).text = now.rows
        start.text = getString(if (now.running) R.string.benchmark_stop else R.string.benchmark_start)
    }

    private fun row(context: Context, run: PhoneRun): String {
        val figures = context.getString(
            R.string.benchmark_row,
            run.ran,
            threads(context, run.ran, run.threads),
            run.asked,
            milliseconds(run.times.p50),
            milliseconds(run.times.p90),
            milliseconds(run.firstMs),
            milliseconds(run.loadMs),
            run.before.thermal?.toString() ?: context.getString(R.string.not_told),
            run.after.thermal?.toString() ?: context.getString(R.string.not_told),
        )
        val share = if (run.ran == BenchmarkAsk.GPU) context.getString(R.string.benchmark_gpu_share) else null
        val fellBack = run.refusal?.let {
            Words.withTechnical(context.resources, context.getString(R.string.benchmark_fell_back), it)
        }
        return listOfNotNull(figures, share, fellBack).joinToString("\n")
    }

    private fun threads(context: Context, delegate: String, threads: Int): String =
        if (delegate == BenchmarkAsk.GPU) context.getString(R.string.benchmark_no_threads) else "$threads"

    private fun milliseconds(value: Double) = "%.2f".format(Locale.getDefault(), value)

    private fun text(id: Int) = findViewById(id) as TextView

    private companion object {
        const val ROWS = "rows"
        const val STATUS = "status"
    }
}
