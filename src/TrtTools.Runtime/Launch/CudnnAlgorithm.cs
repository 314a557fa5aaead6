using System.Globalization;
using System.Text;
using TrtTools.Cuda;

namespace TrtTools.Launch;

/// <summary>What a plan remembers of an execution plan of cuDNN: its engine with the knobs' settings, and the library's own text of the whole, which serves for the shapes it was made for.</summary>
internal sealed record CudnnAlgorithm(string Engine)
{
    /// <summary>Descriptors that are asked for at most.</summary>
    private const int MostKnobs = 64, MostNotes = 32;

    /// <summary>The extents that <see cref="Json"/> is for.</summary>
    public string Extents { get; init; } = "";

    public byte[] Json { get; init; } = [];

    /// <summary>Such as "e43", for names.</summary>
    public string Name => "e" + Engine.Split(' ')[0];

    /// <summary>The engine and knobs of a configuration.</summary>
    /// <param name="exactFloats">FP32 has to be computed as such.</param>
    /// <param name="problem">Why it is not to be used.</param>
    public static CudnnAlgorithm Of(CudnnDescriptor config, bool exactFloats, out string problem)
    {
        problem = "";
        IReadOnlyList<CudnnDescriptor> engines = config.GetDescriptors(CudnnAttribute.ConfigEngine, CudnnDescriptorType.Engine, 1), knobs = config.GetDescriptors(CudnnAttribute.ConfigKnobs, CudnnDescriptorType.KnobChoice, MostKnobs);
        try
        {
            int[] notes = engines[0].GetInt32s(CudnnAttribute.EngineNumericalNotes, CudnnValue.NumericalNote, MostNotes);
            if (notes.Contains((int)CudnnNote.NonDeterministic)) problem = "it is not deterministic";
            else if (notes.Contains((int)CudnnNote.ReducedPrecisionReduction)) problem = "it adds up in reduced precision";
            else if (exactFloats && (notes.Contains((int)CudnnNote.TensorCore) || notes.Contains((int)CudnnNote.DownConvertsInputs))) problem = "it computes in TF32";
            List<string> words = [engines[0].GetInt64(CudnnAttribute.EngineIndex).ToString(CultureInfo.InvariantCulture)];
            words.AddRange(knobs.Select(k => string.Create(CultureInfo.InvariantCulture, $"{k.GetInt32(CudnnAttribute.KnobType, CudnnValue.KnobType)}={k.GetInt64(CudnnAttribute.KnobValue)}")));
            return new CudnnAlgorithm(string.Join(' ', words));
        }
        finally
        {
            foreach (CudnnDescriptor descriptor in engines.Concat(knobs)) descriptor.Dispose();
        }
    }

    /// <summary>Null when the bytes are none.</summary>
    public static CudnnAlgorithm? Read(ReadOnlySpan<byte> bytes)
    {
        int first = bytes.IndexOf((byte)'\n');
        if (first < 0) return null;
        int second = bytes[(first + 1)..].IndexOf((byte)'\n');
        if (second < 0) return null;
        return new CudnnAlgorithm(Encoding.UTF8.GetString(bytes[..first])) { Extents = Encoding.UTF8.GetString(bytes.Slice(first + 1, second)), Json = bytes[(first + second + 2)..].ToArray() };
    }

    public byte[] ToBytes() => [.. Encoding.UTF8.GetBytes($"{Engine}\n{Extents}\n"), .. Json];

    /// <summary>A configuration for a graph; null when the engine does not take it.</summary>
    public CudnnDescriptor? ToConfig(CudnnDescriptor graph, List<CudnnDescriptor> owned)
    {
        try
        {
            string[] words = Engine.Split(' ');
            CudnnDescriptor engine = new(CudnnDescriptorType.Engine);
            owned.Add(engine);
            engine.Set(CudnnAttribute.EngineGraph, graph).Set(CudnnAttribute.EngineIndex, long.Parse(words[0], CultureInfo.InvariantCulture));
            if (!engine.TryFinish(out _)) return null;
            List<CudnnDescriptor> knobs = [];
            foreach (string word in words[1..])
            {
                string[] pair = word.Split('=');
                CudnnDescriptor knob = new(CudnnDescriptorType.KnobChoice);
                owned.Add(knob);
                knob.Set(CudnnAttribute.KnobType, CudnnValue.KnobType, int.Parse(pair[0], CultureInfo.InvariantCulture)).Set(CudnnAttribute.KnobValue, long.Parse(pair[1], CultureInfo.InvariantCulture));
                if (!knob.TryFinish(out _)) return null;
                knobs.Add(knob);
            }
            CudnnDescriptor config = new(CudnnDescriptorType.EngineConfig);
            config.Set(CudnnAttribute.ConfigEngine, engine);
            if (knobs.Count > 0) config.Set(CudnnAttribute.ConfigKnobs, knobs);
            if (config.TryFinish(out _)) return config;
            config.Dispose();
            return null;
        }
        catch (CudaLibraryException)
        {
            return null;
        }
    }
}
