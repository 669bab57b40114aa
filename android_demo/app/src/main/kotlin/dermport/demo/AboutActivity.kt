package dermport.demo

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.TextView
import dermport.core.Fault
import dermport.core.ModelNews
import dermport.core.Notice

/** The first screen: what this is and is not, the model card, and the ways on. */
class AboutActivity : Activity() {
    private lateinit var card: TextView
    private lateinit var licence: TextView
    private lateinit var problem: TextView
    private lateinit var progress: TextView
    private lateinit var shipped: Button

    // It outlives a rotation: what the worker finds out meanwhile goes to the screen that is there then.
    private lateinit var news: Notice<ModelNews<OpenedModel>>

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.about)
        SystemBars.keepClear(findViewById(R.id.screen) as View)
        card = findViewById(R.id.card) as TextView
        licence = findViewById(R.id.licence) as TextView
        problem = findViewById(R.id.problem) as TextView
        progress = findViewById(R.id.progress) as TextView
        shipped = findViewById(R.id.shipped_model) as Button
        @Suppress("DEPRECATION", "UNCHECKED_CAST") // the way of the framework without a library
        news = lastNonConfigurationInstance as Notice<ModelNews<OpenedModel>>?
            ?: Notice(ModelNews(refused = savedInstanceState?.getString(MESSAGE)))
        news.attach(::show)
        onClick(R.id.take_picture) { startActivity(Intent(this, CameraActivity::class.java)) }
        onClick(R.id.choose_picture) { choose(PictureChooser.PICTURE) }
        onClick(R.id.benchmark) { startActivity(Intent(this, BenchmarkActivity::class.java)) }
        onClick(R.id.open_model) { choose(PictureChooser.MODEL) }
        val context = applicationContext
        onClick(R.id.shipped_model) { change { Diagnoser.useShipped(context) } }
    }

    override fun onStart() {
        super.onStart()
        val context = applicationContext
        open({ Diagnoser.model(context) }, ModelNews<OpenedModel>::found, ModelNews<OpenedModel>::foundNone)
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        // why there is no model is found out anew
        news.message.refused?.let { outState.putString(MESSAGE, it) }
    }

    @Suppress("OVERRIDE_DEPRECATION")
    override fun onRetainNonConfigurationInstance(): Any? = news

    override fun onDestroy() {
        super.onDestroy()
        news.detach()
    }

    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        val uri = data?.data
        if (resultCode != RESULT_OK || uri == null) return
        if (requestCode == PictureChooser.PICTURE) {
            startActivity(ResultActivity.of(this, uri))
        } else {
            val context = applicationContext
            change { Diagnoser.adopt(context, uri) }
        }
    }

    private fun choose(what: Int) {
        if (PictureChooser.choose(this, what)) return
        news.say(news.message.refuse(Words.of(resources, Fault.ChooserMissing)))
    }

    /** Another model, which a person chose. */
    private fun change(work: () -> OpenedModel) {
        val words = applicationContext.resources
        news.say(news.message.trying(words.getString(R.string.trying_model)))
        open(
            work,
            { now, model -> now.chosen(model, words.getString(R.string.model_in_use, model.name)) },
            ModelNews<OpenedModel>::refuse,
        )
    }

    /** Opens a model on the worker; the screen may be another one when it is done. */
    private fun open(
        work: () -> OpenedModel,
        done: (ModelNews<OpenedModel>, OpenedModel) -> ModelNews<OpenedModel>,
        failed: (ModelNews<OpenedModel>, String) -> ModelNews<OpenedModel>,
    ) {
        val words = applicationContext.resources
        val news = news
        Diagnoser.background(
            work,
            { news.say(done(news.message, it)) },
            { news.say(failed(news.message, Words.of(words, it))) },
        )
    }

    private fun show(now: ModelNews<OpenedModel>) {
        val model = now.model
        card.text = when {
            model != null -> ModelCard.text(resources, model)
            now.isBeingRead -> getString(R.string.reading_model)
            else -> ""
        }
        licence.text = model?.file?.contract?.license ?: ""
        val message = now.message ?: ""
        problem.visibility = if (message.isEmpty()) View.GONE else View.VISIBLE
        tell(problem, message)
        val progress = now.progress ?: ""
        this.progress.visibility = if (progress.isEmpty()) View.GONE else View.VISIBLE
        tell(this.progress, progress)
        // an app that was updated may not read the model that was opened before
        val adopted = if (model != null) model.asset == null else OpenedModel.isAdopted(this)
        shipped.visibility = if (adopted) View.VISIBLE else View.GONE
    }

    /** TalkBack speaks at every change of such a text, also to what it was. */
    private fun tell(view: TextView, words: String) {
        if (view.text.toString() != words) view.text = words
    }

    /** What was refused stands there until the person does something else. */
    private fun onClick(id: Int, action: () -> Unit) = (findViewById(id) as View).setOnClickListener {
        news.say(news.message.begun())
        action()
    }

    private companion object {
        const val MESSAGE = "message"
    }
}
