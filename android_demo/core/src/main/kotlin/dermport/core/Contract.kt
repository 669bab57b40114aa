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
    val images: Number,
    val splitProtocol: String,
    val metrics: Map<String, Any?>,
) {
    /**
     * The ends of a metric's interval; null where there is none, or one that does not hold the metric: that of
     * the calibration error lies above it, for every resampling of the pictures is calibrated worse than they are.
     */
    fun interval(metric: String): Pair<Double, Double>? {
        val value = (metrics[metric] as? Number)?.toDouble() ?: return null
        val ends = (metrics["${metric}_interval"] as? List<*>).orEmpty().filterIsInstance<Number>().map { it.toDouble() }
        return if (ends.size == 2 && value in ends[0]..ends[1]) ends[0] to ends[1] else null
    }
}

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
        if (schema != Contract.SCHEMA) throw top.error("schema", schema, "\"${Contract.SCHEMA}\"")
        newer = isNewerMinor(top.text("version"))
        val labels = labels()
        val codes = labels.map { it.code }
        val contract = Contract(
            name = top.text("name").also { require(!isBlank(it), "name", it, "a name") },
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
            require(code in codes, "calibration.sensitivity", code, "one of ${codes.joinToString()}")
        }
        checkDerived(contract)
        if (!newer) top.close()
        return contract
    }

    /** 1.x with a larger x may carry keys that are not known here; another major version is refused. */
    private fun isNewerMinor(version: String): Boolean {
        val numbers = VERSION.matchEntire(version)?.takeIf { version.length < 12 }?.destructured
            ?: throw top.error("version", version, "two numbers, such as \"1.0\"")
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
        require(codes.size >= 2, "labels", codes, "at least two classes")
        require(codes.none { isBlank(it) }, "labels", codes, "a code for every class")
        require(codes.toSet().size == codes.size, "labels", codes, "every code once")
        return labels
    }

    private fun recipe(item: StrictObject): Recipe {
        val exif = item.flag("exif_orientation")
        val crop = item.text("crop")
        val sides = listOf("effective_resolution", "size").map { key ->
            item.integer(key)
                .also { require(it.toDouble() in 1.0..4096.0, "preprocessing.$key", it, "1 to 4096 pixels") }.toInt()
        }
        val filter = item.text("resize_filter")
        require(filter == "bilinear", "preprocessing.resize_filter", filter, "\"bilinear\"")
        require(item.flag("antialias"), "preprocessing.antialias", false, "true, as in training")
        if (!newer) item.close()
        val known = Crop.entries.firstOrNull { it.word == crop }
            ?: throw item.error("crop", crop, "one of ${Crop.entries.joinToString { it.word }}")
        return Recipe(exif, known, sides[0], sides[1])
    }

    private fun inputType(item: StrictObject): ElementType {
        val name = item.text("dtype")
        return TYPES[name] ?: throw item.error("dtype", name, "one of ${TYPES.keys.joinToString()}")
    }

    private fun calibration(item: StrictObject): Calibration {
        val sensitivity = item.mapping("sensitivity").mapValues { (code, value) ->
            val share = StrictObject.finite(value) ?: throw item.error("sensitivity.$code", value, "a number")
            share.also { require(it in 0.0..1.0, "calibration.sensitivity.$code", it, "a share from 0 to 1") }
        }
        val result = Calibration(
            temperature = item.number("temperature"),
            unknownThreshold = item.number("unknown_threshold"),
            acceptedShare = item.number("accepted_share"),
            sensitivity = sensitivity,
        )
        require(result.temperature > 0, "calibration.temperature", result.temperature, "a number above 0")
        val share = result.acceptedShare
        require(share in 0.0..1.0, "calibration.accepted_share", share, "a share from 0 to 1")
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
            metrics = item.figures("metrics"),
        )
        require(result.images.toDouble() >= 0, "training.images", result.images, "0 or more")
        item.text("split_sha256")
        item.integer("seed")
        if (!newer) item.close()
        return result
    }

    /** A newer minor version may say other things of input and outputs; the tensors are compared anyway. */
    private fun checkDerived(contract: Contract) {
        val input = top.mapping("input")
        val outputs = top.array("outputs")
        if (newer) return
        val type = TYPES.entries.first { it.value == contract.inputType }.key
        Derived.compare(input, Derived.input(contract.recipe.size, type), "input", ::refuseDerived)
        val score = contract.decision?.unknownScore ?: "max_logit"
        Derived.compare(outputs, Derived.outputs(contract.labels.size, score), "outputs", ::refuseDerived)
    }

    private fun refuseDerived(place: String, found: Any?, expected: Any?): Nothing =
        throw top.error(place, found, "${Json.line(expected)}, as the rest of it says")

    private fun require(fits: Boolean, key: String, found: Any?, expected: String) {
        if (!fits) throw top.error(key, found, expected)
    }

    /** U+0085 is a space for Python, and none for Java. */
    private fun isBlank(text: String) = text.all { it.isWhitespace() || it == '\u0085' }

    private companion object {
        val TYPES = mapOf("float32" to ElementType.FLOAT32, "uint8" to ElementType.UINT8)
        val VERSION = Regex("([0-9]+)\\.([0-9]+)")
    }
}
