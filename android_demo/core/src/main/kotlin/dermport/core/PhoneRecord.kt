package dermport.core

/** What decides how fast a phone is; "not told" where it does not say. */
data class PhoneFacts(
    val manufacturer: String,
    val model: String,
    val soc: String,
    val android: String,
    val sdk: String,
    val abi: String,
    val build: String,
)

/** One look at a phone; null where it tells nothing. Thermal is 0 (none) to 6 (shutdown). */
data class PhoneState(val thermal: Int?, val battery: Int?, val celsius: Double?)

/**
 * One run of the benchmark screen: what was asked, what ran, and how long it took.
 *
 * @property threads of the CPU; 1 where a GPU was asked for.
 * @property refusal what was said where the GPU refused and the CPU ran; null where what was asked ran.
 */
data class PhoneRun(
    val threads: Int,
    val asked: String,
    val ran: String,
    val coverage: String,
    val loadMs: Double,
    val firstMs: Double,
    val times: Times,
    val before: PhoneState,
    val after: PhoneState,
    val tookSeconds: Double,
    val refusal: String?,
)

/** What the model file is called and holds. */
data class TimedFile(val name: String, val format: String, val size: Long, val sha256: String)

/**
 * What was asked of the phone, the same for all of its runs.
 *
 * @property ways how many rows that makes: the GPU is run once, whatever [threads] are.
 */
data class PhoneSettings(
    val file: TimedFile,
    val threads: List<Int>,
    val delegates: List<String>,
    val ways: Int,
    val runs: Int,
    val seconds: Double,
)

/** A record of the benchmark in the shape of `python -m benchmarks phone`, which `make report` reads. */
object PhoneRecord {
    private const val NAME = "dermport demo app"

    /**
     * Writes the record.
     *
     * @param phone a short name that does not tell whose phone it is.
     * @param app SHA-256 of the installed app.
     */
    fun json(
        phone: String,
        app: String,
        facts: PhoneFacts,
        settings: PhoneSettings,
        runs: List<PhoneRun>,
    ): String = Json.write(
        linkedMapOf(
            "schema" to "dermport.phone",
            "version" to "1.0",
            "settings" to settings(settings, app),
            "phones" to listOf(
                linkedMapOf(
                    "id" to phone,
                    "facts" to facts(facts),
                    "finished" to (runs.size == settings.ways),
                    "rows" to runs.map { row(it, settings.file.name) },
                ),
            ),
        ),
    )

    private fun settings(settings: PhoneSettings, app: String) = linkedMapOf(
        "runner" to linkedMapOf("name" to NAME, "sha256" to app),
        "threads" to settings.threads,
        "delegates" to settings.delegates,
        "ways" to settings.ways,
        "runs" to settings.runs,
        "seconds" to settings.seconds,
        "limit_s" to 300.0,
        "cool_down" to linkedMapOf("seconds" to 0.0, "celsius" to 38.0),
        "files" to listOf(
            linkedMapOf(
                "name" to settings.file.name,
                "format" to settings.file.format,
                "size" to settings.file.size,
                "sha256" to settings.file.sha256,
            ),
        ),
    )

    private fun facts(facts: PhoneFacts) = linkedMapOf(
        "manufacturer" to facts.manufacturer,
        "model" to facts.model,
        "soc" to facts.soc,
        "android" to facts.android,
        "sdk" to facts.sdk,
        "abi" to facts.abi,
        "build" to facts.build,
    )

    private fun row(run: PhoneRun, file: String) = linkedMapOf(
        "asked" to linkedMapOf("file" to file, "threads" to run.threads, "delegate" to run.asked),
        "ran" to linkedMapOf("delegate" to run.ran, "coverage" to run.coverage),
        "figures" to linkedMapOf(
            "runs" to run.times.runs,
            "load" to run.loadMs,
            "first" to run.firstMs,
            "mean" to run.times.mean,
            "deviation" to run.times.deviation,
            "least" to run.times.least,
            "most" to run.times.most,
            "p50" to run.times.p50,
            "p95" to run.times.p95,
            "peak_mb" to null,
        ),
        "before" to state(run.before),
        "after" to state(run.after),
        "waited_s" to 0.0,
        "cool" to (run.before.thermal == 0),
        "took_s" to run.tookSeconds,
        "fault" to "",
        "notes" to listOfNotNull(
            "p90 ${"%.3f".format(java.util.Locale.ROOT, run.times.p90)} ms",
            if (run.ran == BenchmarkAsk.GPU) "the GPU takes no number of CPU threads; 1 stands for none" else null,
            run.refusal?.let { "the GPU refused the model ($it); the CPU ran it" },
        ),
    )

    private fun state(state: PhoneState) = linkedMapOf(
        "thermal" to state.thermal,
        "battery" to state.battery,
        "celsius" to state.celsius,
        "megahertz" to emptyList<Double>(),
    )
}
