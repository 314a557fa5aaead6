using System.Globalization;
using TrtTools.Launch;

namespace TrtTools.Tactics;

/// <summary>What a library offers for one call.</summary>
internal static class LibraryOffers
{
    /// <summary>Reserved for a call whose shapes are known only at run time: for others the library may want more than for those that it was asked about, or another algorithm.</summary>
    private const long DynamicWorkspace = 16L << 20;

    /// <param name="library">Asks the library on the device; null: one offer, whose algorithm the runtime asks for.</param>
    /// <param name="count">How many candidates to ask for.</param>
    /// <param name="wanted">What the library may not have, for the reason: "plan for this convolution".</param>
    public static IEnumerable<Offer> Of(ITacticSource source, ILibraryAdapter? library, LibraryAnswers answers, LibraryTacticLaunch call, TacticContext context, int count, string precision, string wanted)
    {
        if (library is null)
        {
            yield return Offer.Of(LibraryWorkspace.Tactic(source.Name, call, [], "", context.WorkspaceLimit, precision));
            yield break;
        }
        if (LibraryWorkspace.Request(call, context, context.WorkspaceLimit) is not { } request)
        {
            yield return Offer.Rejected(source.Name, "its shapes are known only at run time");
            yield break;
        }
        IReadOnlyList<LibraryCandidate> found = answers.Ask(library, request, count);
        if (found.Count == 0) yield return Offer.Rejected(source.Name, string.Create(CultureInfo.InvariantCulture, $"the library has no {wanted} in {context.WorkspaceLimit >> 20} MB of workspace"));
        foreach (LibraryCandidate candidate in found)
        {
            long workspace = call.Extents.All(e => e.IsConstant) ? candidate.WorkspaceBytes : Math.Max(candidate.WorkspaceBytes, Math.Min(context.WorkspaceLimit, DynamicWorkspace));
            yield return Offer.Of(LibraryWorkspace.Tactic(LibraryWorkspace.NameOf(source.Name, candidate), call, candidate.Algorithm, library.Version, workspace, precision));
        }
    }
}
