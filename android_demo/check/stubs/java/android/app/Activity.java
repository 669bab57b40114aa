package android.app;

import android.content.Intent;
import android.os.Bundle;
import android.view.ContextThemeWrapper;
import android.view.LayoutInflater;
import android.view.View;
import android.view.Window;
import android.view.WindowManager;

/** What the app uses of this class, part of it newer than the framework of the build check. */
public class Activity extends ContextThemeWrapper {
    public static final int RESULT_OK = -1;

    private static <T> T stub() {
        throw new UnsupportedOperationException("a stub");
    }

    /** Since API 33. */
    public void setRecentsScreenshotEnabled(boolean enabled) {}

    protected void onCreate(Bundle savedInstanceState) {}

    protected void onStart() {}

    protected void onResume() {}

    protected void onPause() {}

    protected void onDestroy() {}

    protected void onSaveInstanceState(Bundle outState) {}

    protected void onNewIntent(Intent intent) {}

    protected void onActivityResult(int requestCode, int resultCode, Intent data) {}

    public Object onRetainNonConfigurationInstance() {
        return stub();
    }

    public Object getLastNonConfigurationInstance() {
        return stub();
    }

    public Intent getIntent() {
        return stub();
    }

    public Window getWindow() {
        return stub();
    }

    public WindowManager getWindowManager() {
        return stub();
    }

    public LayoutInflater getLayoutInflater() {
        return stub();
    }

    public View findViewById(int id) {
        return stub();
    }

    public void setContentView(int layout) {}

    public boolean isFinishing() {
        return Activity.<Boolean>stub();
    }

    public boolean isDestroyed() {
        return Activity.<Boolean>stub();
    }

    public void startActivityForResult(Intent intent, int requestCode) {}

    public final void requestPermissions(String[] permissions, int requestCode) {}

    public final void runOnUiThread(Runnable action) {}
}
