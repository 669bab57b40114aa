plugins {
    alias(libs.plugins.kotlin.jvm)
}

java {
    sourceCompatibility = JavaVersion.VERSION_17
    targetCompatibility = JavaVersion.VERSION_17
}

kotlin {
    compilerOptions {
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_17
    }
}

// The tests read the model that lies in the app.
sourceSets.test {
    resources.srcDir("../app/src/main/assets")
}

dependencies {
    testImplementation(libs.junit)
}

tasks.test {
    useJUnit()
}
