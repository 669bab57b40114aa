package dermport.core

/** One way to run a model; [threads] of the CPU, 1 for a GPU: nobody sets any for it. */
data class BenchmarkWay(val delegate: String, val threads: Int)

/** What a benchmark is to run: the CPU with every number of threads, the GPU once. */
data class BenchmarkAsk(val threads: List<Int>, val delegates: List<String>, val runs: Int, val seconds: Int) {
    /** Every way, in the order in which they are run. */
    val ways: List<BenchmarkWay>
        get() = delegates.flatMap { delegate ->
            (if (delegate == GPU) listOf(1) else threads).map { BenchmarkWay(delegate, it) }
        }

    companion object {
        const val CPU = "xnnpack"
        const val GPU = "gpu"
        private const val MOST = 8
        private val WORDS = listOf("threads", "delegates")
        private val NUMBERS = listOf("runs", "seconds")
        val STANDARD = BenchmarkAsk(listOf(1, 4), listOf(CPU, GPU), 128, 10)

        /**
         * Reads what `am start` was given, by name; what is not given is the standard.
         *
         * @throws Problem a name, a type or a value that cannot be.
         */
        fun parse(given: Map<String, Any?>): BenchmarkAsk {
            val known = WORDS + NUMBERS
            given.keys.firstOrNull { it !in known }?.let {
                throw Problem(Fault.BenchmarkValue("unknown value ${Json.line(it)}; known are ${known.joinToString()}"))
            }
            val words = WORDS.associateWith { name -> text(given, name)?.let { words(it, name) } }
            val ask = BenchmarkAsk(
                words["threads"]?.map(::threads) ?: STANDARD.threads,
                words["delegates"]?.map(::delegate) ?: STANDARD.delegates,
                number(given, "runs") ?: STANDARD.runs,
                number(given, "seconds") ?: STANDARD.seconds,
            )
            if (ask.runs !in 1..100_000) throw wrong("runs", ask.runs, "1 to 100000")
            if (ask.seconds !in 1..120) throw wrong("seconds", ask.seconds, "1 to 120")
            return ask
        }

        private fun text(given: Map<String, Any?>, name: String): String? =
            if (name in given) given[name] as? String ?: throw wrong(name, given[name], "words, given by --es") else null

        private fun number(given: Map<String, Any?>, name: String): Int? =
            if (name in given) given[name] as? Int ?: throw wrong(name, given[name], "a number, given by --ei") else null

        private fun words(text: String, name: String): List<String> {
            val words = text.split(',').map { it.trim() }
            if (words.toSet().size < words.size || words.size > MOST) throw wrong(name, text, "at most $MOST, each once")
            return words
        }

        private fun wrong(name: String, found: Any?, expected: String): Problem {
            val said = if (found is String) Json.line(found) else "$found"
            return Problem(Fault.BenchmarkValue("$name is $said; expected $expected"))
        }

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
