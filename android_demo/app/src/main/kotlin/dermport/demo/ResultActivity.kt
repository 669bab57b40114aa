package dermport.demo

import android.app.Activity
import android.content.Context
import android.content.Intent
import android.graphics.Bitmap
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.widget.LinearLayout
import android.widget.ProgressBar
import android.widget.SeekBar
import android.widget.TextView
import dermport.core.Alert
import dermport.core.Answer
import dermport.core.Crop
import dermport.core.Fault
import dermport.core.HeatMap
import dermport.core.ModelFile
import dermport.core.Notice
import dermport.core.Problem
import dermport.core.Ranked
import dermport.core.Verdict
import java.util.Locale
import kotlin.math.roundToInt

/** What the model answers to one picture. */
class ResultActivity : Activity() {
    /** How far it is; [diagnosis] is what outlives the process. */
    private sealed class State(val diagnosis: Diagnosis?)

    private class Looking(before: Diagnosis?) : State(before)

    private class Shown(val file: ModelFile, answered: Diagnosis, val answer: Answer, val picture: Bitmap?) : State(answered) {
        val given: Diagnosis get() = checkNotNull(diagnosis)
    }

    private class Failed(val fault: Fault, before: Diagnosis?) : State(before)

    /** One look at a picture. A rotation does not end it; who leaves the screen for good drops it. */
    private class Look(before: Diagnosis?) {
        val news = Notice<State>(Looking(before))

        @Volatile
        var isDropped = false
    }

    private lateinit var headline: TextView
    private lateinit var explanation: TextView
    private lateinit var lesion: LesionView
    private lateinit var lookedHere: TextView
    private lateinit var strength: SeekBar
    private lateinit var probabilities: LinearLayout
    private lateinit var look: Look
    private var chosen = -1

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.result)
        Recents.hide(this)
        SystemBars.keepClear(findViewById(R.id.screen) as View)
        headline = findViewById(R.id.headline) as TextView
        explanation = findViewById(R.id.explanation) as TextView
        lesion = findViewById(R.id.lesion) as LesionView
        lookedHere = findViewById(R.id.looked_here) as TextView
        strength = findViewById(R.id.strength) as SeekBar
        probabilities = findViewById(R.id.probabilities) as LinearLayout
        strength.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                lesion.strength = progress
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit

            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
        setOverlayVisible(false)
        lesion.show(null, null)
        chosen = savedInstanceState?.getInt(CHOSEN, -1) ?: -1
        @Suppress("DEPRECATION") // the way of the framework without a library
        val kept = lastNonConfigurationInstance as Look?
        look = kept ?: Look(Diagnosis.of(savedInstanceState?.getBundle(DIAGNOSIS)))
        if (kept == null) start(look)
        look.news.attach(::show)
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        look.news.message.diagnosis?.let { outState.putBundle(DIAGNOSIS, it.toBundle()) }
        outState.putInt(CHOSEN, chosen)
    }

    @Suppress("OVERRIDE_DEPRECATION")
    override fun onRetainNonConfigurationInstance(): Any? = look

    override fun onDestroy() {
        super.onDestroy()
        look.news.detach()
        if (isFinishing) look.isDropped = true
    }

    private fun start(look: Look) {
        val context = applicationContext
        val uri = intent.data
        val before = look.news.message.diagnosis
        // what the camera left is not the picture of an address
        val captured = if (uri == null) Captured.take() else null
        Diagnoser.background(
            { if (look.isDropped) null else looked(context, uri, captured, before) },
            { found -> found?.let(look.news::say) },
            { fault -> look.news.say(Failed(fault, before)) },
        )
    }

    private fun looked(context: Context, uri: Uri?, captured: ByteArray?, before: Diagnosis?): State {
        val model = Diagnoser.model(context)
        val answered = before?.takeIf { it.isOf(model) }
        val photo = photo(context, uri, captured, before != null)
        val gone = if (before == null) Fault.CapturedGone else Fault.AnswerOfAnotherModel
        val diagnosis = answered ?: Diagnoser.look(context, photo ?: throw Problem(gone))
        return Shown(model.file, diagnosis, diagnosis.answer(model.file), photo?.preview(PREVIEW))
    }

    /** The picture again; null where it is gone and an [answered] diagnosis is there without it. */
    private fun photo(context: Context, uri: Uri?, captured: ByteArray?, answered: Boolean): Photo? {
        if (captured != null) return Photo.decode(captured, GuideView.SHARE)
        try {
            if (uri == null) throw Problem(Fault.CapturedGone)
            return Photo.decode(Photo.bytes(context.contentResolver, uri), null)
        } catch (problem: Problem) {
            if (answered) return null
            throw problem
        }
    }

    private fun show(now: State) {
        when (now) {
            is Looking -> headline.text = getString(R.string.working)
            is Shown -> showShown(now)
            is Failed -> showFailed(now.fault)
        }
    }

    private fun showShown(now: Shown) {
        val preprocessing = milliseconds(now.given.preprocessingMs)
        (findViewById(R.id.times) as TextView).text = listOf(
            getString(R.string.times, preprocessing, milliseconds(now.given.inferenceMs)),
            getString(R.string.ran_on, now.given.ran, now.given.threads),
        ).joinToString("\n")
        when (val verdict = now.answer.verdict) {
            is Verdict.Unknown -> showUnknown(now)
            is Verdict.Suspected -> showAnswer(now, R.string.suspected, suspicion(verdict.alert, now.answer))
            is Verdict.Likeliest -> showAnswer(now, R.string.most_likely, null)
        }
    }

    private fun showUnknown(now: Shown) {
        headline.text = getString(R.string.unknown)
        explain(getString(R.string.unknown_text), now)
        lesion.show(now.picture, null)
        lesion.contentDescription = getString(R.string.picture_description)
    }

    /** Why it is suspected, what such a suspicion is worth, and what is likeliest if another. */
    private fun suspicion(alert: Alert, answer: Answer): String {
        val falseAlarms = (100 * (1 - alert.specificity.value)).roundToInt()
        val evidence = getString(
            R.string.suspected_text,
            answer.first.label.name,
            Percent.tenths(alert.threshold),
            *Percent.interval(alert.sensitivity),
            *Percent.interval(alert.specificity),
            falseAlarms,
        )
        if (answer.best == answer.first) return evidence
        val likeliest = getString(R.string.suspected_likeliest, answer.best.label.name, percent(answer.best))
        return "$likeliest $evidence"
    }

    private fun showAnswer(now: Shown, head: Int, why: String?) {
        val answer = now.answer
        headline.text = getString(head, answer.first.label.name, percent(answer.first))
        explain(why, now)
        probabilities.removeAllViews()
        for (ranked in answer.ranked) probabilities.addView(row(ranked, now))
        val first = answer.ranked.firstOrNull { it.index == chosen } ?: answer.first
        showMap(first, now)
    }

    private fun explain(text: String?, now: Shown) {
        val lines = listOfNotNull(
            text,
            if (now.given.cut) getString(R.string.cut_to_ring) else null,
            if (now.picture == null) getString(R.string.picture_not_kept) else null,
        )
        explanation.visibility = if (lines.isEmpty()) View.GONE else View.VISIBLE
        explanation.text = lines.joinToString(" ")
    }

    private fun row(ranked: Ranked, now: Shown): View {
        val row = layoutInflater.inflate(R.layout.probability, probabilities, false)
        (row.findViewById(R.id.name) as TextView).text = ranked.label.name
        (row.findViewById(R.id.percent) as TextView).text = percent(ranked)
        (row.findViewById(R.id.bar) as ProgressBar).progress = (ranked.probability * 1000).toInt()
        val told = getString(R.string.probability_description, ranked.label.name, percent(ranked))
        row.contentDescription = "$told, ${getString(R.string.probability_action)}"
        row.tag = ranked.index
        row.setOnClickListener { showMap(ranked, now) }
        return row
    }

    private fun showMap(ranked: Ranked, now: Shown) {
        chosen = ranked.index
        for (i in 0 until probabilities.childCount) {
            probabilities.getChildAt(i).let { row -> row.isSelected = row.tag == ranked.index }
        }
        val (height, width) = now.file.mapSize
        val colors = HeatMap(height, width, now.file.contract.labels.size, MAP).draw(now.given.cam, ranked.index)
        val overlay = Bitmap.createBitmap(colors, MAP, MAP, Bitmap.Config.ARGB_8888)
        lesion.show(now.picture, overlay, now.file.contract.recipe.crop == Crop.CENTER_SQUARE)
        lesion.contentDescription = getString(R.string.lesion_description, ranked.label.name)
        lookedHere.text = getString(R.string.looked_here, ranked.label.name)
        setOverlayVisible(true)
    }

    private fun setOverlayVisible(visible: Boolean) {
        val now = if (visible) View.VISIBLE else View.GONE
        lookedHere.visibility = now
        strength.visibility = now
    }

    private fun showFailed(fault: Fault) {
        headline.text = getString(R.string.result_title)
        explanation.visibility = View.VISIBLE
        explanation.text = Words.of(resources, fault)
    }

    private fun percent(ranked: Ranked) = Percent.tenths(ranked.probability.toDouble())

    private fun milliseconds(value: Double) = "%.1f".format(Locale.getDefault(), value)

    companion object {
        private const val DIAGNOSIS = "diagnosis"
        private const val CHOSEN = "chosen"
        private const val PREVIEW = 1280
        private const val MAP = 112

        /** Shows the answer to a picture of the gallery. */
        fun of(context: Context, uri: Uri): Intent =
            Intent(context, ResultActivity::class.java).setData(uri).addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)

        /** Shows the answer to the picture that the camera left in [Captured]. */
        fun ofCamera(context: Context): Intent = Intent(context, ResultActivity::class.java)
    }
}

/** The camera's picture on its way to the result; only ever in memory, and only once. */
object Captured {
    private var content: ByteArray? = null

    @Synchronized
    fun put(jpeg: ByteArray) {
        content = jpeg
    }

    @Synchronized
    fun take(): ByteArray? = content.also { content = null }
}
