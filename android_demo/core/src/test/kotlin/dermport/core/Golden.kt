package dermport.core

import java.awt.image.BufferedImage
import java.io.ByteArrayInputStream
import javax.imageio.ImageIO

/** The golden files that `python -m android_demo.check golden` wrote. */
internal object Golden {
    fun bytes(name: String): ByteArray =
        checkNotNull(javaClass.getResourceAsStream("/golden/$name")) { "no golden file $name" }.readBytes()

    fun picture(name: String): BufferedImage = ImageIO.read(ByteArrayInputStream(bytes(name)))

    fun cases(): List<Case> {
        val cases = Json.parse(String(bytes("cases.json")), "cases.json") as List<*>
        return cases.map { case ->
            case as Map<*, *>
            val recipe = case["recipe"] as Map<*, *>
            Case(
                name = case["name"] as String,
                orientation = (case["orientation"] as Long).toInt(),
                recipe = Recipe(
                    exifOrientation = recipe["exif_orientation"] as Boolean,
                    crop = Crop.entries.first { it.word == recipe["crop"] },
                    effectiveResolution = (recipe["effective_resolution"] as Long).toInt(),
                    size = (recipe["size"] as Long).toInt(),
                ),
            )
        }
    }

    class Case(val name: String, val orientation: Int, val recipe: Recipe)
}

/** A picture of the JVM, handed out in rows. */
internal class Picture(private val image: BufferedImage) : Pixels {
    override val width get() = image.width
    override val height get() = image.height

    override fun read(top: Int, rows: Int, into: IntArray) {
        image.getRGB(0, top, width, rows, into, 0, width)
    }
}
