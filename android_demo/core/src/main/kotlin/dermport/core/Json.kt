package dermport.core

import java.math.BigInteger

/**
 * JSON as Kotlin values: Map, List, String, Long (BigInteger where it is longer), Double, Boolean, null.
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

    /** Writes a value in one line. */
    fun line(value: Any?): String = StringBuilder().also { append(it, value, null) }.toString()

    /** @param line begins a new one; null where everything stands in one. */
    private fun append(out: StringBuilder, value: Any?, line: String?) {
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
            is Int, is Long, is BigInteger, is Boolean, null -> out.append(value)
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
        line: String?,
        each: (T, String?) -> Unit,
    ) {
        out.append(open)
        val inner = line?.let { "$it  " }
        var first = true
        for (item in items) {
            if (!first) out.append(if (line == null) ", " else ",")
            if (inner != null) out.append(inner)
            each(item, inner)
            first = false
        }
        if (!first && line != null) out.append(line)
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
            if (depth > DEEPEST) fail("at most $DEEPEST levels")
            skip()
            return when (peek("a value")) {
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
            if (at < text.length) fail("its end")
        }

        private fun readObject(depth: Int): Map<String, Any?> {
            val result = LinkedHashMap<String, Any?>()
            at++
            skip()
            if (peek("a key or '}'") == '}') return result.also { at++ }
            while (true) {
                skip()
                val key = readString()
                skip()
                take(":")
                val value = value(depth + 1)
                if (result.containsKey(key)) throw invalid("the key '$key' stands twice in one object")
                result[key] = value
                skip()
                if (peek("',' or '}'") == '}') return result.also { at++ }
                take(",", "',' or '}'")
            }
        }

        private fun readArray(depth: Int): List<Any?> {
            val result = ArrayList<Any?>()
            at++
            skip()
            if (peek("a value or ']'") == ']') return result.also { at++ }
            while (true) {
                result.add(value(depth + 1))
                skip()
                if (peek("',' or ']'") == ']') return result.also { at++ }
                take(",", "',' or ']'")
            }
        }

        private fun readString(): String {
            take("\"", "a string in double quotes")
            val out = StringBuilder()
            while (true) {
                val c = next("the end of the string")
                when {
                    c == '"' -> return out.toString()
                    c == '\\' -> out.append(escaped())
                    c < ' ' -> back("no control character in a string")
                    else -> out.append(c)
                }
            }
        }

        private fun escaped(): Char = when (val c = next(ESCAPES)) {
            '"', '\\', '/' -> c
            'b' -> '\b'
            'f' -> '\u000c'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> {
                val digits = text.substring(at, minOf(at + 4, text.length))
                if (!digits.matches(HEX)) fail("four hexadecimal digits")
                at += 4
                digits.toInt(16).toChar()
            }
            else -> back(ESCAPES)
        }

        private fun readNumber(): Any {
            val start = at
            while (at < text.length && (text[at].isLetterOrDigit() || text[at] in "+-.")) at++
            val word = text.substring(start, at)
            val number = if (word.matches(NUMBER)) word.toDouble() else Double.NaN
            if (!number.isFinite()) {
                at = start
                fail(if (word.matches(NUMBER)) "a number that a computer holds" else "a value")
            }
            if (word.any { it in ".eE" }) return number
            return word.toLongOrNull() ?: BigInteger(word)
        }

        private fun <T> word(word: String, value: T): T {
            if (!text.startsWith(word, at)) fail(word)
            at += word.length
            return value
        }

        private fun skip() {
            while (at < text.length && text[at] in " \t\r\n") at++
        }

        private fun peek(expected: String): Char = if (at < text.length) text[at] else fail(expected)

        private fun next(expected: String): Char = peek(expected).also { at++ }

        private fun take(c: String, expected: String = "'$c'") {
            if (!text.startsWith(c, at)) fail(expected)
            at++
        }

        /** What was read last should not have stood there. */
        private fun back(expected: String): Nothing {
            at--
            fail(expected)
        }

        private fun fail(expected: String): Nothing {
            val rest = text.substring(at, minOf(at + SHOWN, text.length))
            val found = if (rest.isEmpty()) "the end" else line(rest)
            throw invalid("not valid JSON at character ${at + 1}: found $found, expected $expected")
        }

        private fun invalid(technical: String) = Problem(Fault.ContractInvalid(origin, technical))
    }

    private const val SHOWN = 12
    private const val ESCAPES = "one of \" \\ / b f n r t u after a backslash"
    private val HEX = Regex("[0-9a-fA-F]{4}")
    private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
}
