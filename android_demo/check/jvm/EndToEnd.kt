package dermport.check

import dermport.core.Answer
import dermport.core.Json
import dermport.core.PictureFile
import dermport.core.Pixels
import dermport.core.Preprocessor
import dermport.core.Problem
import java.awt.image.BufferedImage
import java.io.File
import java.security.MessageDigest
import javax.imageio.ImageIO
import kotlin.system.exitProcess

/** From picture files to answers, all of it the core's own way; prints JSON, a fault too. */
object EndToEnd {
    @JvmStatic
    fun main(arguments: Array<String>) {
        try {
            answer(arguments)
        } catch (problem: Problem) {
            val fault = problem.fault
            val told = linkedMapOf(
                "fault" to fault.javaClass.simpleName,
                "details" to fault.details.map { "$it" },
                "technical" to fault.technical,
            )
            println(Json.write(told))
            exitProcess(1)
        }
    }

    private fun answer(arguments: Array<String>) {
        val (file, model) = LiteRtModel.open(arguments[0], arguments[1])
        val preprocessor = Preprocessor(file.contract.recipe)
        val answers = arguments.drop(2).map { path ->
            val head = PictureFile.read(File(path).readBytes())
            val pixels = preprocessor.run(Picture(ImageIO.read(File(path))), head.orientation)
            val found = model.run(pixels)
            val answer = Answer.of(file.contract, found.getValue("probabilities"), found.getValue("unknown")[0])
            linkedMapOf(
                "picture" to path,
                "pixels" to sha256(pixels),
                "cam" to found.getValue("cam").toList(),
                "answer" to answer.fields(),
            )
        }
        println(Json.write(linkedMapOf("whole_graph" to model.wholeGraph, "answers" to answers)))
    }

    private fun sha256(bytes: ByteArray) =
        MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
}

/** A picture of the JVM, handed out in rows; its own bytes are read where that is quicker. */
class Picture(private val image: BufferedImage) : Pixels {
    override val width: Int get() = image.width
    override val height: Int get() = image.height

    override fun read(top: Int, rows: Int, into: IntArray) {
        image.getRGB(0, top, width, rows, into, 0, width)
    }
}
