package dermport.core

/** One class: the code used in tables and its full name. */
data class Label(val code: String, val name: String)

/**
 * How a photo becomes the network's input; [Preprocessor] carries it out.
 *
 * @property effectiveResolution side in pixels of the square that the training data had.
 * @property size side of the network's input in pixels.
 */
data class Recipe(
    val exifOrientation: Boolean,
    val crop: Crop,
    val effectiveResolution: Int,
    val size: Int,
)

/** What is cut off before the frame is squashed to a square. */
enum class Crop(val word: String) { NONE("none"), CENTER_SQUARE("center-square") }

/** An image whose unknown score is above [unknownThreshold] gets the answer "unknown". */
data class Calibration(
    val temperature: Double,
    val unknownThreshold: Double,
    val acceptedShare: Double,
    val sensitivity: Map<String, Double>,
)

/** How the network came about; [metrics] are those of the test split. */
data class Training(
    val method: String,
    val student: String,
    val teacher: String?,
    val data: String,
    val synthetic: Boolean,
    val images: Long,
    val splitProtocol: String,
    val metrics: Map<String, Any?>,
)

/**
 * Everything that the app must know to use a model file and to judge its answer.
 *
 * @property decision null in contracts older than 1.2, and where nobody measured what to decide by.
 */
data class Contract(
    val name: String,
    val labels: List<Label>,
    val recipe: Recipe,
    val inputType: ElementType,
    val calibration: Calibration,
    val training: Training,
    val license: String,
    val intendedUse: String,
    val decision: Decision?,
) {
    companion object {
        const val SCHEMA = "dermport.contract"
        const val MAJOR = 1
        const val MINOR = 2

        /** Reads a contract, an unknown or missing key is a [Problem]; [origin] is the file that messages name. */
        fun parse(text: String, origin: String): Contract = ContractReader(text, origin).read()
    }
}

private class ContractReader(text: String, private val origin: String) {
    private val top = StrictObject(Json.parse(text, origin), origin)
    private var newer = false

    fun read(): Contract {
        val schema = top.text("schema")
        if (schema != Contract.SCHEMA) throw top.error("schema", schema, Contract.SCHEMA)
        newer = isNewerMinor(top.text("version"))
        val labels = labels()
        val codes = labels.map { it.code }
        val contract = Contract(
            name = top.text("name").also { require(it.isNotBlank(), "name", it, "not blank") },
            labels = labels,
            recipe = recipe(top.child("preprocessing")),
            inputType = inputType(top.child("input")),
            calibration = calibration(top.child("calibration")),
            training = training(top.child("training")),
            license = top.text("license"),
            intendedUse = top.text("intended_use"),
            decision = if (top.has("decision")) Decision.read(top.child("decision"), codes, newer) else null,
        )
        for (code in contract.calibration.sensitivity.keys) {
            require(code in codes, "calibration.sensitivity", code, codes.joinToString(" | "))
        }
        checkOutputs(codes.size)
        if (!newer) top.close()
        return contract
    }

    /** 1.x with a larger x may carry keys that are not known here; another major version is refused. */
    private fun isNewerMinor(version: String): Boolean {
        val numbers = VERSION.matchEntire(version)?.destructured
            ?: throw top.error("version", version, "1.0")
        val (major, minor) = numbers
        val own = "${Contract.MAJOR}.x"
        if (major.toInt() > Contract.MAJOR) throw Problem(Fault.ContractNewer(origin, version, own))
        if (major.toInt() < Contract.MAJOR) throw Problem(Fault.ContractOlder(origin, version, own))
        return minor.toInt() > Contract.MINOR
    }

    private fun labels(): List<Label> {
        val labels = top.children("labels").map { item ->
            Label(item.text("code"), item.text("name")).also { if (!newer) item.close() }
        }
        val codes = labels.map { it.code }
        require(codes.size >= 2, "labels", codes, "2 or more")
        require(codes.all { it.isNotBlank() }, "labels", codes, "not blank")
        require(codes.toSet().size == codes.size, "labels", codes, "unique")
        return labels
    }

    private fun recipe(item: StrictObject): Recipe {
        val exif = item.flag("exif_orientation")
        val crop = item.text("crop")
        val sides = listOf("effective_resolution", "size").map { key ->
            item.integer(key).also { require(it in 1..4096, "preprocessing.$key", it, "1 … 4096") }.toInt()
        }
        val filter = item.text("resize_filter")
        require(filter == "bilinear", "preprocessing.resize_filter", filter, "bilinear")
        require(item.flag("antialias"), "preprocessing.antialias", false, "true")
        if (!newer) item.close()
        val known = Crop.entries.firstOrNull { it.word == crop }
            ?: throw item.error("crop", crop, Crop.entries.joinToString(" | ") { it.word })
        return Recipe(exif, known, sides[0], sides[1])
    }

    private fun inputType(item: StrictObject): ElementType {
        for ((key, expected) in listOf("name" to ModelFile.INPUT, "layout" to "NHWC", "color" to "RGB")) {
            val found = item.text(key)
            require(found == expected, "input.$key", found, expected)
        }
        val range = item.array("range")
        require(range == PIXELS, "input.range", range, "$PIXELS")
        item.array("shape") // the tensor itself is compared
        val type = when (val name = item.text("dtype")) {
            "float32" -> ElementType.FLOAT32
            "uint8" -> ElementType.UINT8
            else -> throw item.error("dtype", name, "float32 | uint8")
        }
        if (!newer) item.close()
        return type
    }

    private fun calibration(item: StrictObject): Calibration {
        val sensitivity = item.mapping("sensitivity").mapValues { (code, value) ->
            val share = (value as? Number)?.toDouble() ?: throw item.error("sensitivity.$code", value, "number")
            share.also { require(it in 0.0..1.0, "calibration.sensitivity.$code", it, "0 … 1") }
        }
        val result = Calibration(
            temperature = item.number("temperature"),
            unknownThreshold = item.number("unknown_threshold"),
            acceptedShare = item.number("accepted_share"),
            sensitivity = sensitivity,
        )
        require(result.temperature > 0, "calibration.temperature", result.temperature, "> 0")
        val share = result.acceptedShare
        require(share in 0.0..1.0, "calibration.accepted_share", share, "0 … 1")
        if (!newer) item.close()
        return result
    }

    private fun training(item: StrictObject): Training {
        val result = Training(
            method = item.text("method"),
            student = item.text("student"),
            teacher = item.textOrNull("teacher"),
            data = item.text("data"),
            synthetic = item.flag("synthetic"),
            images = item.integer("images"),
            splitProtocol = item.text("split_protocol"),
            metrics = item.mapping("metrics"),
        )
        item.text("split_sha256")
        item.integer("seed")
        if (!newer) item.close()
        return result
    }

    private fun checkOutputs(classes: Int) {
        val outputs = top.children("outputs").associate { it.text("name") to it.array("shape") }
        val shape = outputs["probabilities"]
        require(
            outputs.keys.containsAll(ModelFile.OUTPUTS) && shape?.lastOrNull() == classes.toLong(),
            "outputs",
            outputs,
            "${ModelFile.OUTPUTS.joinToString()}: $classes",
        )
    }

    private fun require(fits: Boolean, key: String, found: Any?, expected: String) {
        if (!fits) throw Problem(Fault.ContractValue(origin, key, StrictObject.shown(found), expected))
    }

    private companion object {
        val PIXELS = listOf(0L, 255L)
        val VERSION = Regex("([0-9]{1,5})\\.([0-9]{1,5})")
    }
}
