package dermport.check

import dermport.core.Crop
import dermport.core.Json
import dermport.core.Orientation
import dermport.core.Pixels
import dermport.core.Preprocessor
import dermport.core.Recipe
import java.io.File
import java.lang.management.ManagementFactory
import java.security.MessageDigest

/**
 * Times the preprocessing of one photo: one round for each line on standard input.
 *
 * The photo is a file of ARGB pixels, read once; rows are copied out of it as Bitmap.getPixels does.
 */
object Speed {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val (path, width, height, crop) = arguments
        val pixels = Photo(File(path), width.toInt(), height.toInt())
        val orientation = Orientation.of(arguments[4].toInt())
        val recipe = Recipe(true, Crop.entries.first { it.word == crop }, arguments[5].toInt(), arguments[6].toInt())
        val before = allocated()
        val preprocessor = Preprocessor(recipe)
        preprocessor.run(pixels, orientation)
        val bytes = allocated() - before
        println(Json.write(linkedMapOf("bytes" to bytes)).replace("\n", ""))
        while (readLine() != null) {
            val start = System.nanoTime()
            val output = preprocessor.run(pixels, orientation)
            val took = System.nanoTime() - start
            println(Json.write(linkedMapOf("ms" to took / 1e6, "sha256" to sha256(output))).replace("\n", ""))
        }
    }

    private fun allocated(): Long {
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        return threads.getThreadAllocatedBytes(Thread.currentThread().id)
    }

    private fun sha256(bytes: ByteArray) =
        MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

    private class Photo(file: File, override val width: Int, override val height: Int) : Pixels {
        private val content = IntArray(width * height)

        init {
            val bytes = java.nio.ByteBuffer.wrap(file.readBytes()).order(java.nio.ByteOrder.LITTLE_ENDIAN)
            bytes.asIntBuffer().get(content)
        }

        override fun read(top: Int, rows: Int, into: IntArray) {
            System.arraycopy(content, top * width, into, 0, rows * width)
        }
    }
}
