package dermport.core

/**
 * JSON as Kotlin values: Map, List, String, Long, Double, Boolean, null.
 *
 * Strict where a contract has to be: a key that stands twice, NaN and trailing text are refused.
 */
object Json {
    private const val DEEPEST = 100

    /** Reads one document; [origin] is the file that a [Problem] names. */
    fun parse(text: String, origin: String): Any? {
        val reader = Reader(text, origin)
        val value = reader.value(0)
        reader.end()
        return value
    }

    /** Writes a document of Map, List, String, Number, Boolean and null, indented by two. */
    fun write(value: Any?): String = StringBuilder().also { append(it, value, "\n") }.append('\n').toString()

    private fun append(out: StringBuilder, value: Any?, line: String) {
        when (value) {
            is Map<*, *> -> block(out, '{', '}', value.entries, line) { (key, item), inner ->
                string(out, key as String)
                out.append(": ")
                append(out, item, inner)
            }
            is List<*> -> block(out, '[', ']', value, line) { item, inner -> append(out, item, inner) }
            is String -> string(out, value)
            is Float -> number(out, value.toDouble())
            is Double -> number(out, value)
            is Int, is Long, is Boolean, null -> out.append(value)
            else -> throw IllegalArgumentException("no JSON for ${value.javaClass.name}")
        }
    }

    private fun number(out: StringBuilder, value: Double) {
        require(value.isFinite()) { "JSON has no number for $value" }
        out.append(value)
    }

    private fun <T> block(
        out: StringBuilder,
        open: Char,
        close: Char,
        items: Collection<T>,
        line: String,
        each: (T, String) -> Unit,
    ) {
        out.append(open)
        val inner = "$line  "
        var first = true
        for (item in items) {
            if (!first) out.append(',')
            out.append(inner)
            each(item, inner)
            first = false
        }
        if (!first) out.append(line)
        out.append(close)
    }

    private fun string(out: StringBuilder, text: String) {
        out.append('"')
        for (c in text) {
            when {
                c == '"' || c == '\\' -> out.append('\\').append(c)
                c < ' ' -> out.append("\\u").append(c.code.toString(16).padStart(4, '0'))
                else -> out.append(c)
            }
        }
        out.append('"')
    }

    private class Reader(private val text: String, private val origin: String) {
        private var at = 0

        fun value(depth: Int): Any? {
            if (depth > DEEPEST) fail()
            skip()
            return when (peek()) {
                '{' -> readObject(depth)
                '[' -> readArray(depth)
                '"' -> readString()
                't' -> word("true", true)
                'f' -> word("false", false)
                'n' -> word("null", null)
                else -> readNumber()
            }
        }

        fun end() {
            skip()
            if (at < text.length) fail()
        }

        private fun readObject(depth: Int): Map<String, Any?> {
            val result = LinkedHashMap<String, Any?>()
            at++
            skip()
            if (peek() == '}') return result.also { at++ }
            while (true) {
                skip()
                val key = readString()
                skip()
                take(':')
                val value = value(depth + 1)
                if (result.containsKey(key)) throw Problem(Fault.ContractKeyTwice(origin, key))
                result[key] = value
                skip()
                if (peek() == '}') return result.also { at++ }
                take(',')
            }
        }

        private fun readArray(depth: Int): List<Any?> {
            val result = ArrayList<Any?>()
            at++
            skip()
            if (peek() == ']') return result.also { at++ }
            while (true) {
                result.add(value(depth + 1))
                skip()
                if (peek() == ']') return result.also { at++ }
                take(',')
            }
        }

        private fun readString(): String {
            take('"')
            val out = StringBuilder()
            while (true) {
                val c = next()
                when {
                    c == '"' -> return out.toString()
                    c == '\\' -> out.append(escaped())
                    c < ' ' -> fail()
                    else -> out.append(c)
                }
            }
        }

        private fun escaped(): Char = when (val c = next()) {
            '"', '\\', '/' -> c
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> {
                val digits = text.substring(at, minOf(at + 4, text.length))
                if (!digits.matches(HEX)) fail()
                at += 4
                digits.toInt(16).toChar()
            }
            else -> fail()
        }

        private fun readNumber(): Any {
            val start = at
            while (at < text.length && (text[at].isLetterOrDigit() || text[at] in "+-.")) at++
            val word = text.substring(start, at)
            if (!word.matches(NUMBER)) fail()
            if (word.none { it in ".eE" }) word.toLongOrNull()?.let { return it }
            val number = word.toDouble()
            if (!number.isFinite()) fail()
            return number
        }

        private fun <T> word(word: String, value: T): T {
            if (!text.startsWith(word, at)) fail()
            at += word.length
            return value
        }

        private fun skip() {
            while (at < text.length && text[at] in " \t\r\n") at++
        }

        private fun peek(): Char = if (at < text.length) text[at] else fail()

        private fun next(): Char = peek().also { at++ }

        private fun take(c: Char) {
            if (peek() != c) fail()
            at++
        }

        private fun fail(): Nothing = throw Problem(Fault.ContractNotJson(origin, at))
    }

    private val HEX = Regex("[0-9a-fA-F]{4}")
    private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
}
