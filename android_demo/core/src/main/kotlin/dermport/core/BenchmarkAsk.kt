package dermport.core

/** What a benchmark is to run: every number of threads with every delegate. */
data class BenchmarkAsk(val threads: List<Int>, val delegates: List<String>, val runs: Int, val seconds: Int) {
    /** How many runs of the model file that are. */
    val total: Int get() = threads.size * delegates.size

    companion object {
        const val CPU = "xnnpack"
        const val GPU = "gpu"
        private const val MOST = 8
        val STANDARD = BenchmarkAsk(listOf(1, 4), listOf(CPU, GPU), 128, 10)

        /**
         * Reads what `am start` was given; what is null or 0 is the standard.
         *
         * @throws Problem a value that cannot be.
         */
        fun parse(threads: String?, delegates: String?, runs: Int, seconds: Int): BenchmarkAsk {
            val ask = BenchmarkAsk(
                threads?.let { words(it, "threads").map(::threads) } ?: STANDARD.threads,
                delegates?.let { words(it, "delegates").map(::delegate) } ?: STANDARD.delegates,
                if (runs == 0) STANDARD.runs else runs,
                if (seconds == 0) STANDARD.seconds else seconds,
            )
            if (ask.runs !in 1..100_000) throw wrong("runs", ask.runs, "1 to 100000")
            if (ask.seconds !in 1..120) throw wrong("seconds", ask.seconds, "1 to 120")
            return ask
        }

        private fun words(text: String, name: String): List<String> {
            val words = text.split(',').map { it.trim() }
            if (words.toSet().size < words.size || words.size > MOST) throw wrong(name, text, "at most $MOST, each once")
            return words
        }

        private fun wrong(name: String, found: Any, expected: String) =
            Problem(Fault.BenchmarkValue("$name is ${Json.line(found)}; expected $expected"))

        private fun threads(word: String): Int = word.toIntOrNull()?.takeIf { it in 1..16 }
            ?: throw wrong("threads", word, "1 to 16")

        private fun delegate(word: String): String = word.takeIf { it == CPU || it == GPU }
            ?: throw wrong("delegates", word, "$CPU, $GPU or $CPU,$GPU")
    }
}

/** Repeats a piece of work until there were enough runs and enough seconds. */
class TimedRuns(private val clock: () -> Long) {
    private val nanoseconds = LongArray(MOST)

    /** At least [runs] and [seconds]; returns their figures. [stopped] is asked after each run. */
    fun take(runs: Int, seconds: Int, stopped: () -> Boolean, work: () -> Unit): Times {
        val begun = clock()
        var count = 0
        while (count < MOST && !(count > 0 && stopped())) {
            val start = clock()
            if (count >= runs && start - begun >= seconds * 1_000_000_000L) break
            work()
            nanoseconds[count++] = clock() - start
        }
        return Times.of(nanoseconds, count)
    }

    private companion object {
        const val MOST = 200_000
    }
}
